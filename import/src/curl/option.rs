//! curl's options: which take a value, and what becomes of each.

/// What becomes of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Read,
    /// Concerns only what curl prints or how it connects, and nobody misses it.
    Ignored,
    /// Left out, and said.
    Noted(&'static str),
    /// Without it the request would be another one.
    Refused(&'static str),
}

/// An option and its value; the value is empty for those that take none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Given<'w> {
    pub(super) name: &'static str,
    pub(super) class: Class,
    pub(super) value: &'w str,
}

struct Known {
    short: Option<char>,
    name: &'static str,
    takes: bool,
    class: Class,
}

const fn flag(short: Option<char>, name: &'static str, class: Class) -> Known {
    Known { short, name, takes: false, class }
}

const fn value(short: Option<char>, name: &'static str, class: Class) -> Known {
    Known { short, name, takes: true, class }
}

const INSECURE: &str = "the check WILL verify the certificate, and fails if it is not trusted; give the service a \
                        certificate that the probe trusts";
const REDIRECTS: &str =
    "a check does not follow redirects; add a step for each address that a redirect leads to";
const ROUTE: &str =
    "a check connects where the address of the service says; `sextant check run --resolve` tries others";
const PROXY: &str = "a check uses no proxy";
const RETRY: &str = "a check does not try again by itself; a step has `within` for that";
const CERTIFICATE: &str = "a check trusts the authorities that the probe trusts";
const CLIENT: &str = "a check has no certificate of its own";
const FORM: &str = "a check cannot send multipart forms; use --data when the server takes it";
const FILE: &str = "a check cannot send files; put the content into --data";
const CONFIG: &str = "other files are not read here; put the options in";
const DIGEST: &str = "a check knows Basic and Bearer only";

use Class::{Ignored, Noted, Read, Refused};

/// Those that browsers write and people use.
const OPTIONS: [Known; 98] = [
    value(None, "url", Read),
    value(Some('X'), "request", Read),
    value(Some('H'), "header", Read),
    value(Some('d'), "data", Read),
    value(None, "data-ascii", Read),
    value(None, "data-binary", Read),
    value(None, "data-raw", Read),
    value(None, "data-urlencode", Read),
    value(None, "json", Read),
    flag(Some('G'), "get", Read),
    flag(Some('I'), "head", Read),
    flag(Some('g'), "globoff", Read),
    value(Some('b'), "cookie", Read),
    value(Some('u'), "user", Read),
    value(None, "oauth2-bearer", Read),
    value(Some('A'), "user-agent", Read),
    value(Some('e'), "referer", Read),
    value(Some('r'), "range", Read),
    value(None, "url-query", Read),
    value(Some('m'), "max-time", Read),
    flag(Some('k'), "insecure", Noted(INSECURE)),
    flag(Some('L'), "location", Noted(REDIRECTS)),
    flag(None, "location-trusted", Noted(REDIRECTS)),
    value(None, "resolve", Noted(ROUTE)),
    value(None, "connect-to", Noted(ROUTE)),
    value(None, "interface", Noted(ROUTE)),
    value(None, "dns-servers", Noted(ROUTE)),
    value(None, "doh-url", Noted(ROUTE)),
    value(None, "unix-socket", Refused("a check connects by TCP")),
    value(Some('x'), "proxy", Noted(PROXY)),
    value(None, "preproxy", Noted(PROXY)),
    value(Some('U'), "proxy-user", Noted(PROXY)),
    value(None, "proxy-header", Noted(PROXY)),
    flag(None, "proxy-insecure", Noted(PROXY)),
    value(None, "socks5", Noted(PROXY)),
    value(None, "socks5-hostname", Noted(PROXY)),
    value(None, "noproxy", Ignored),
    value(None, "retry", Noted(RETRY)),
    value(None, "retry-delay", Ignored),
    value(None, "retry-max-time", Ignored),
    flag(None, "retry-all-errors", Ignored),
    flag(None, "retry-connrefused", Ignored),
    value(None, "cacert", Noted(CERTIFICATE)),
    value(None, "capath", Noted(CERTIFICATE)),
    value(None, "pinnedpubkey", Noted(CERTIFICATE)),
    value(Some('E'), "cert", Noted(CLIENT)),
    value(None, "key", Noted(CLIENT)),
    value(None, "cert-type", Ignored),
    value(None, "key-type", Ignored),
    value(None, "pass", Ignored),
    value(Some('F'), "form", Refused(FORM)),
    value(None, "form-string", Refused(FORM)),
    value(Some('T'), "upload-file", Refused(FILE)),
    value(Some('K'), "config", Refused(CONFIG)),
    flag(Some('n'), "netrc", Refused(CONFIG)),
    flag(None, "digest", Refused(DIGEST)),
    flag(None, "ntlm", Refused(DIGEST)),
    flag(None, "negotiate", Refused(DIGEST)),
    flag(None, "anyauth", Refused(DIGEST)),
    flag(None, "basic", Ignored),
    flag(Some('s'), "silent", Ignored),
    flag(Some('S'), "show-error", Ignored),
    flag(Some('v'), "verbose", Ignored),
    flag(Some('i'), "include", Ignored),
    flag(None, "show-headers", Ignored),
    flag(Some('f'), "fail", Ignored),
    flag(None, "fail-with-body", Ignored),
    flag(None, "fail-early", Ignored),
    flag(None, "compressed", Ignored),
    flag(Some('N'), "no-buffer", Ignored),
    flag(Some('#'), "progress-bar", Ignored),
    flag(None, "no-progress-meter", Ignored),
    flag(Some('Z'), "parallel", Ignored),
    flag(Some('4'), "ipv4", Ignored),
    flag(Some('6'), "ipv6", Ignored),
    flag(Some('0'), "http1.0", Ignored),
    flag(None, "http1.1", Ignored),
    flag(None, "http2", Ignored),
    flag(None, "http2-prior-knowledge", Ignored),
    flag(None, "http3", Ignored),
    flag(None, "path-as-is", Ignored),
    flag(None, "tlsv1.2", Ignored),
    flag(None, "tlsv1.3", Ignored),
    value(None, "tls-max", Ignored),
    flag(None, "tcp-nodelay", Ignored),
    flag(None, "no-keepalive", Ignored),
    flag(Some('O'), "remote-name", Ignored),
    flag(Some('J'), "remote-header-name", Ignored),
    value(Some('o'), "output", Ignored),
    value(None, "output-dir", Ignored),
    value(Some('w'), "write-out", Ignored),
    value(Some('D'), "dump-header", Ignored),
    value(Some('c'), "cookie-jar", Ignored),
    value(None, "stderr", Ignored),
    value(None, "max-redirs", Ignored),
    value(None, "connect-timeout", Ignored),
    value(None, "limit-rate", Ignored),
    flag(Some('q'), "disable", Ignored),
];

/// The options of a command in order; words that are none are URLs.
///
/// # Errors
/// For an option that is not known, by name, and one without its value.
pub(super) fn given(words: &[String]) -> Result<Vec<Given<'_>>, String> {
    let mut given = Vec::new();
    let mut words = words.iter().map(String::as_str);
    let mut only_urls = false;
    while let Some(word) = words.next() {
        if only_urls || word == "-" || !word.starts_with('-') {
            given.push(Given { name: "url", class: Read, value: word });
        } else if word == "--" {
            only_urls = true;
        } else if let Some(long) = word.strip_prefix("--") {
            let known = OPTIONS.iter().find(|known| known.name == long).ok_or_else(|| unknown(word))?;
            let value = if known.takes { words.next().ok_or_else(|| lacking(known))? } else { "" };
            given.push(Given { name: known.name, class: known.class, value });
        } else {
            for (at, letter) in word.char_indices().skip(1) {
                let known = OPTIONS.iter().find(|known| known.short == Some(letter));
                let known = known.ok_or_else(|| unknown(&format!("-{letter}")))?;
                // `-XPOST`: the rest of the word, when there is one, is the value.
                let rest = word.get(at + letter.len_utf8()..).unwrap_or_default();
                let value = match (known.takes, rest) {
                    (false, _) => "",
                    (true, "") => words.next().ok_or_else(|| lacking(known))?,
                    (true, rest) => rest,
                };
                given.push(Given { name: known.name, class: known.class, value });
                if known.takes {
                    break;
                }
            }
        }
    }
    Ok(given)
}

fn unknown(word: &str) -> String {
    // Without a value that may stand behind it.
    let name = word.split('=').next().unwrap_or_default();
    let shown: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
    format!("the option {shown} is not known here; remove it if the request does not need it")
}

fn lacking(known: &Known) -> String {
    format!("--{} needs a value", known.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn no_option_stands_twice() {
        let names: BTreeSet<&str> = OPTIONS.iter().map(|known| known.name).collect();
        let letters: Vec<char> = OPTIONS.iter().filter_map(|known| known.short).collect();
        assert_eq!(names.len(), OPTIONS.len());
        assert_eq!(letters.iter().collect::<BTreeSet<_>>().len(), letters.len());
    }

    #[test]
    fn reads_combined_letters_and_values() {
        let text = words("-sSLXPOST https://a -d x -vb a=b -- -u");
        let seen: Vec<_> = given(&text).expect("options").into_iter().map(|g| (g.name, g.value)).collect();
        let expected = [
            ("silent", ""),
            ("show-error", ""),
            ("location", ""),
            ("request", "POST"),
            ("url", "https://a"),
            ("data", "x"),
            ("verbose", ""),
            ("cookie", "a=b"),
            ("url", "-u"),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn names_what_it_does_not_know() {
        for (text, name) in
            [("--frobnicate x", "--frobnicate"), ("-sß x", "-ß"), ("-H", "--header"), ("-sX", "--request")]
        {
            let problem = given(&words(text)).expect_err(text);
            assert!(problem.contains(name), "{problem}");
        }
    }
}
