//! Which values of a request and its answer nobody may see: servers like to echo what they were sent.

use crate::check::prepare::Prepared;
use http::{HeaderMap, header};
use serde_json::Value as Json;
use wire::assignment::{Content, Request};

/// Words inside the names of headers, fields and captures whose values are secrets.
const WORDS: [&str; 9] =
    ["api-key", "apikey", "api_key", "token", "secret", "password", "passwd", "session", "csrf"];
/// How deep a JSON body is searched; what is sent is far flatter.
const DEPTH: usize = 32;

/// Whether a value under this name is a secret, as far as names tell.
pub(in crate::check) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    matches!(name.as_str(), "authorization" | "proxy-authorization" | "cookie" | "set-cookie")
        || WORDS.iter().any(|word| name.contains(word))
}

/// The secrets in the headers of a request that is ready to be sent.
pub(in crate::check) fn sent(prepared: &Prepared) -> Vec<String> {
    of_headers(&prepared.headers)
}

/// The secrets in the query and the body of a request, by the names of their fields.
pub(in crate::check) fn written(request: &Request) -> Vec<String> {
    let mut found = Vec::new();
    let mut add = |name: &str, value: &str| found.extend(is_secret(name).then(|| value.to_owned()));
    request.query.iter().for_each(|(name, value)| add(name, value));
    match &request.content {
        Content::Form(fields) => fields.iter().for_each(|(name, value)| add(name, value)),
        Content::Multipart(parts) => parts.iter().for_each(|part| add(&part.name, &part.value)),
        Content::Json => {
            let json = request.body.as_deref().and_then(|body| serde_json::from_str(body).ok());
            of_json(&json.unwrap_or(Json::Null), DEPTH, &mut add);
        }
        Content::Text => {}
    }
    spellings(found)
}

fn of_json(json: &Json, depth: usize, add: &mut impl FnMut(&str, &str)) {
    let Some(depth) = depth.checked_sub(1) else { return };
    match json {
        Json::Array(items) => items.iter().for_each(|item| of_json(item, depth, add)),
        Json::Object(fields) => fields.iter().for_each(|(name, value)| match value {
            Json::String(text) => add(name, text),
            other => of_json(other, depth, add),
        }),
        _ => {}
    }
}

/// The values of the cookies that an answer sets.
pub(in crate::check) fn received(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::SET_COOKIE).iter();
    let values = values.filter_map(|value| {
        let text = String::from_utf8_lossy(value.as_bytes());
        let (_name, value) = text.split(';').next()?.split_once('=')?;
        Some(value.trim().to_owned())
    });
    values.filter(|value| !value.is_empty()).collect()
}

fn of_headers(headers: &HeaderMap) -> Vec<String> {
    let mut secrets = Vec::new();
    for (name, value) in headers.iter().filter(|(name, _)| is_secret(name.as_str())) {
        let value = String::from_utf8_lossy(value.as_bytes());
        if name == header::COOKIE {
            secrets
                .extend(value.split(';').filter_map(|pair| Some(pair.split_once('=')?.1.trim().to_owned())));
        } else if let Some((_scheme, credentials)) = value.split_once(' ') {
            secrets.push(credentials.trim().to_owned());
        }
        secrets.push(value.into_owned());
    }
    spellings(secrets)
}

/// Adds the way they look inside an echoed JSON text and in a form.
pub(in crate::check) fn spellings(mut secrets: Vec<String>) -> Vec<String> {
    let other = secrets.iter().flat_map(|secret| {
        let json = serde_json::Value::from(secret.as_str()).to_string();
        let inner = json[1..json.len() - 1].to_owned();
        let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let percent = crate::check::content::percent(secret);
        [inner, form, percent].into_iter().filter(move |other| other != secret)
    });
    let other: Vec<_> = other.collect();
    secrets.extend(other);
    secrets
}

#[cfg(test)]
mod tests {
    use super::{super::keep, *};

    fn secrets_of(headers: &[(&'static str, &str)]) -> Vec<String> {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).parse().expect("a name"), value.parse().expect("a value")));
        of_headers(&headers.collect())
    }

    #[test]
    fn no_secret_of_the_request_survives_an_echo() {
        let secrets = secrets_of(&[
            ("authorization", "Bearer s3cr3t-t0ken"),
            ("cookie", "sid=abcdef; theme=\"dark\"x"),
            ("x-api-key", "kkkk-1234"),
            ("x-plain", "visible"),
        ]);
        let body =
            br#"{"auth":"Bearer s3cr3t-t0ken","again":"s3cr3t-t0ken","c":"sid=abcdef; theme=\"dark\"x",
            "k":"kkkk-1234","p":"visible"}"#;
        let kept = keep("saw kkkk-1234", Some("login"), body, &secrets);
        let excerpt = kept.excerpt.expect("there is a body");
        for secret in ["s3cr3t", "abcdef", "kkkk"] {
            assert!(!excerpt.contains(secret), "{excerpt}");
            assert!(!kept.summary.contains(secret), "{}", kept.summary);
        }
        assert!(excerpt.contains("visible"));
    }

    #[test]
    fn a_secret_cut_in_the_middle_is_redacted_too() {
        let secrets = secrets_of(&[("x-api-key", "kkkk-1234-5678")]);
        let kept = keep("", None, b"your key: kkkk-1234-5", &secrets);
        assert_eq!(kept.excerpt.as_deref(), Some("your key: [redacted]"));
    }

    #[test]
    fn fields_are_known_by_their_names() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let form = Content::Form(vec![pair("user", "ann"), pair("Password", "pa ss/word")]);
        let request =
            Request { query: vec![pair("access_token", "tttt")], content: form, ..Request::default() };
        assert_eq!(written(&request), ["tttt", "pa ss/word", "pa+ss%2Fword", "pa%20ss%2Fword"]);
        let body = r#"{"user":{"name":"ann","passwd":"pppp"},"list":[{"client_secret":"ssss"}],"token":7}"#;
        let request = Request { body: Some(body.into()), content: Content::Json, ..Request::default() };
        assert_eq!(written(&request), ["ssss", "pppp"]);
    }

    #[test]
    fn cookies_that_are_set_are_secrets() {
        let mut headers = HeaderMap::new();
        for value in ["sid=abcdef; Path=/", "gone=; Max-Age=0", "junk"] {
            headers.append("set-cookie", value.parse().expect("a value"));
        }
        assert_eq!(received(&headers), ["abcdef"]);
    }
}
