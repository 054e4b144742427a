//! The cookies that a service sets in a journey.

use probe::fuzzing::check::Cookies;
use url::Url;

/// Lines: `>` and the URL of a request, or else the value of a `set-cookie` of its answer.
pub fn run(data: &[u8]) {
    let mut jar = Cookies::default();
    let mut url: Option<Url> = None;
    let mut hosts = Vec::new();
    for line in data.split(|byte| *byte == b'\n') {
        if let Some(text) = line.strip_prefix(b">") {
            url = std::str::from_utf8(text).ok().and_then(|text| Url::parse(text).ok());
            hosts.extend(url.as_ref().and_then(Url::host_str).map(str::to_owned));
        } else if let Some(url) = &url {
            jar.keep(url, &[line]);
        }
        assert!(jar.count() <= 50);
        if let Some(url) = &url {
            sent_back(&jar, url);
        }
    }
    let elsewhere: Url = "https://elsewhere.invalid/".parse().expect("a URL");
    if !hosts.iter().any(|host| host.contains("invalid")) {
        assert_eq!(jar.header(&elsewhere), None, "a cookie went to a stranger");
    }
}

/// Without TLS nothing is sent that would not be sent with it, and no line break ever.
fn sent_back(jar: &Cookies, url: &Url) {
    let mut plain = url.clone();
    let mut secure = url.clone();
    if plain.set_scheme("http").is_err() || secure.set_scheme("https").is_err() {
        return;
    }
    let pairs = |url: &Url| jar.header(url).unwrap_or_default();
    let (plain, secure) = (pairs(&plain), pairs(&secure));
    assert!(!secure.contains(['\r', '\n', '\0']));
    for pair in plain.split("; ").filter(|pair| !pair.is_empty()) {
        assert!(secure.split("; ").any(|other| other == pair), "{pair:?} only without TLS");
    }
}
