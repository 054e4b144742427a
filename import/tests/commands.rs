//! Command lines as browsers copy them and as people write them.

use import::{Imported, Options};
use serde_json::{Value, json};

fn curl(text: &str) -> Imported {
    import::curl(text, &Options::default()).expect(text)
}

fn problem(text: &str) -> String {
    import::curl(text, &Options::default()).expect_err(text).to_string()
}

fn check(imported: &Imported) -> Value {
    let document: Value = serde_saphyr::from_str(&imported.yaml).expect(&imported.yaml);
    document["checks"].as_object().and_then(|checks| checks.values().next()).expect("a check").clone()
}

fn steps(text: &str) -> Vec<Value> {
    check(&curl(text))["journey"]["steps"].as_array().expect("steps").clone()
}

#[test]
fn what_chrome_copies() {
    let text = r#"curl 'https://shop.example.org/api/orders?dry=1' \
  -H 'accept: application/json, text/plain, */*' \
  -H 'accept-language: en-GB,en;q=0.9' \
  -H 'authorization: Bearer s3cretBearerMarker' \
  -H 'content-type: application/json' \
  -b 'sid=s3cretCookieMarker; _ga=GA1.1.1.1' \
  -H 'origin: https://shop.example.org' \
  -H 'priority: u=1, i' \
  -H 'referer: https://shop.example.org/cart' \
  -H 'sec-ch-ua: "Chromium";v="142"' \
  -H 'sec-fetch-mode: cors' \
  -H 'user-agent: Mozilla/5.0 (X11; Linux x86_64)' \
  --data-raw $'{"note":"it\'s {{ nice }}\u0021","password":"s3cretPasswordMarker"}' \
  --insecure --compressed"#;
    let imported = curl(text);
    let step = check(&imported)["journey"]["steps"][0].clone();
    assert_eq!(
        step,
        json!({
            "name": "post-orders",
            "post": "/api/orders?dry=1",
            "headers": {
                "accept": "application/json, text/plain, */*",
                "authorization": "Bearer {{ secret.shop_authorization }}",
                "content-type": "application/json",
                "origin": "https://shop.example.org",
                "cookie": "sid={{ secret.shop_cookie_sid }}"
            },
            "body": "{\"note\":\"it's {{ '{' }}{ nice }}!\",\"password\":\"{{ secret.shop_password }}\"}"
        })
    );
    let whole = format!("{}{:?}", imported.yaml, imported.notes);
    assert!(!whole.contains("s3cret"), "{whole}");
    assert!(
        imported.notes.iter().any(|note| note.contains("--insecure is left out")),
        "{:?}",
        imported.notes
    );
}

#[test]
fn several_commands_are_several_steps() {
    let text = "# the shop\ncurl https://shop.example.org/ ;\ncurl -sSL shop.example.org/a &\n\
                curl https://shop.example.org/cart --next -I https://shop.example.org/x | head\n\
                curl https://cdn.example.net/y.png";
    let imported = curl(text);
    let names: Vec<Value> = check(&imported)["journey"]["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|s| s["name"].clone())
        .collect();
    assert_eq!(names, ["get-start", "get-cart", "head-x"]);
    for words in
        ["https://cdn.example.net (1)", "http://shop.example.org (1)", "command 2: --location", "piped"]
    {
        assert!(imported.notes.iter().any(|note| note.contains(words)), "{words}: {:?}", imported.notes);
    }
}

#[test]
fn options_mean_what_they_mean_to_curl() {
    let form = json!({ "content-type": "application/x-www-form-urlencoded" });
    for (options, method, path, headers, body) in [
        ("", "get", "/p", None, None),
        ("-d a=1 -d b=2", "post", "/p", Some(form.clone()), Some("a=1&b=2")),
        ("-XPUT --data-raw @x", "put", "/p", Some(form.clone()), Some("@x")),
        ("-G -d a=1 --data-urlencode 'b=c d&e'", "get", "/p?a=1&b=c+d%26e", None, None),
        ("--data-urlencode '=ä b'", "post", "/p", Some(form), Some("%C3%A4+b")),
        (
            "--json '{\"a\":1}'",
            "post",
            "/p",
            Some(json!({ "content-type": "application/json", "accept": "application/json" })),
            Some("{\"a\":1}"),
        ),
        ("-d '' -H 'Content-Type:'", "post", "/p", None, None),
        (
            "-A probe/1 -H 'X-A: b' -H 'X-B:' -H 'X-C;'",
            "get",
            "/p",
            Some(json!({ "x-a": "b", "user-agent": "probe/1" })),
            None,
        ),
        ("-r 0-9 --url-query 'q=1'", "get", "/p?q=1", Some(json!({ "range": "bytes=0-9" })), None),
        ("-X DELETE -o /dev/null -w '%{http_code}' -4", "delete", "/p", None, None),
    ] {
        let step = steps(&format!("curl https://a.example/p {options}")).remove(0);
        assert_eq!(step[method], path, "{options}");
        assert_eq!(step.get("headers"), headers.as_ref(), "{options}");
        assert_eq!(step.get("body").and_then(Value::as_str), body, "{options}");
    }
}

#[test]
fn credentials_become_secrets() {
    for text in
        ["curl -u alice:hunter2marker https://a.example/", "curl https://alice:hunter2marker@a.example/"]
    {
        let imported = curl(text);
        let step = check(&imported)["journey"]["steps"][0].clone();
        assert_eq!(step["headers"]["authorization"], "Basic {{ secret.a_authorization }}", "{text}");
        let whole = format!("{}{:?}", imported.yaml, imported.notes);
        assert!(!whole.contains("hunter2marker") && !whole.contains("YWxpY2U6"), "{whole}");
        assert!(whole.contains("base64"), "{whole}");
    }
}

#[test]
fn a_time_limit_becomes_the_timeout() {
    assert_eq!(check(&curl("curl -m 2.5 https://a.example/"))["timeout"], "2500ms");
    assert_eq!(
        check(&curl("curl -m 40 https://a.example/\ncurl -m 40 https://a.example/b"))["timeout"],
        "60s"
    );
    assert_eq!(check(&curl("curl -m 4 https://a.example/\ncurl https://a.example/b"))["timeout"], "30s");
}

#[test]
fn mistakes_are_named() {
    for (text, words) in [
        ("curl --frobnicate https://a.example/", "command 1: the option --frobnicate is not known"),
        ("curl https://a.example/\ncurl -sY 1 https://a.example/", "command 2: the option -Y"),
        ("curl -F photo=@x.png https://a.example/", "--form cannot be imported"),
        ("curl -d @secrets.txt https://a.example/", "reads a file"),
        ("curl -T x https://a.example/", "cannot send files"),
        ("curl", "names no URL"),
        ("wget https://a.example/", "\"wget\""),
        ("curl ftp://a.example/", "not ftp"),
        ("curl 'https://a.example/{a,b}'", "several URLs"),
        ("curl -H 'a: $B' \"https://a.example/$X\"", "$X"),
        ("curl ^\"https://a.example/^\" ^\r\n  -H ^\"a: b^\"", "Windows"),
        ("curl -u alice https://a.example/", "USER:PASSWORD"),
        ("", "no curl command"),
        ("curl 'https://a.example/", "not closed"),
        (
            "curl https://a.example/ -H 'content-type: multipart/form-data; boundary=x' --data-raw x",
            "multipart",
        ),
        ("curl -X BREW https://a.example/", "methods"),
    ] {
        let problem = problem(text);
        assert!(problem.contains(words), "{text}: {problem}");
    }
}

#[test]
fn what_is_left_out_of_a_command_is_told() {
    for (option, words) in [
        ("-k", "WILL verify"),
        ("-x http://p:1", "uses no proxy"),
        ("--resolve a:1:b", "--resolve"),
        ("-b jar.txt", "keep cookies by themselves"),
        ("--retry 3", "within"),
    ] {
        let imported = curl(&format!("curl {option} https://a.example/"));
        assert!(imported.notes.iter().any(|note| note.contains(words)), "{option}: {:?}", imported.notes);
    }
    assert_eq!(curl("curl -sSvif --compressed https://a.example/").notes, Vec::<String>::new());
}
