//! The demo's buttons, with and without a script.

use crate::stage::{Answer, Stage, get, send};
use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};

async fn post(router: Router, path: &str, form: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::post(path)
        .header("host", "sextant.test")
        .header("content-type", "application/x-www-form-urlencoded");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(router, request.body(Body::from(form.to_owned())).expect("a request")).await
}

const SAME: (&str, &str) = ("sec-fetch-site", "same-origin");
const JSON: (&str, &str) = ("accept", "application/json");

#[tokio::test]
async fn the_panel_shows_the_world() {
    let page = get(Stage::healthy().demo(), "/").await.text;
    for expected in [
        r#"id="demo""#,
        r#"id="break-eu-west""#,
        r#"id="heal""#,
        r#"name="how""#,
        r#"data-fault="hang""#,
        "store 2.0 s behind",
        "/etc/sextant.yaml",
        "Break something.",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    assert!(!page.contains("<script>"));
}

#[tokio::test]
async fn a_plain_form_is_done_and_sent_back() {
    let stage = Stage::healthy();
    let answer = post(stage.demo(), "/demo/break", "region=eu-west&how=hang&seconds=15", &[SAME]).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/"));
    let answer = post(stage.demo(), "/demo/break", "region=eu-west&how=hang&seconds=", &[SAME]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let answer = post(stage.demo(), "/demo/heal", "", &[SAME]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let asked = stage.asked.lock().expect("not poisoned").clone();
    assert_eq!(asked, ["break eu-west hang Some(15)", "break eu-west hang None", "heal"]);
}

#[tokio::test]
async fn a_script_gets_json() {
    let stage = Stage::healthy();
    let answer = post(stage.demo(), "/demo/break", "region=eu-west&how=hang", &[SAME, JSON]).await;
    assert_eq!(answer.status, StatusCode::OK);
    let json: serde_json::Value = serde_json::from_str(&answer.text).expect("JSON");
    assert_eq!(json["message"], "eu-west is broken.");
    let answer = post(stage.demo(), "/demo/break", "region=mars&how=hang", &[SAME, JSON]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let json: serde_json::Value = serde_json::from_str(&answer.text).expect("JSON");
    assert_eq!(json["message"], "There is no region mars.");
}

#[tokio::test]
async fn a_bad_form_is_explained() {
    let stage = Stage::healthy();
    for form in
        ["region=mars&how=hang", "region=eu-west&how=hang&seconds=soon", "how=hang", "region=<b>&how=x"]
    {
        let answer = post(stage.demo(), "/demo/break", form, &[SAME]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{form}");
        assert!(answer.text.contains(r#"<a href="/">"#) && !answer.text.contains("<b>"), "{}", answer.text);
    }
    assert!(stage.asked.lock().expect("not poisoned").is_empty());
}

#[tokio::test]
async fn another_site_cannot_break_anything() {
    let stage = Stage::healthy();
    let form = "region=eu-west&how=hang";
    for header in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.test")] {
        let answer = post(stage.demo(), "/demo/break", form, &[header]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{header:?}");
        assert!(answer.text.contains("another site"));
        assert!(answer.header("content-security-policy").contains("default-src 'none'"));
    }
    assert!(stage.asked.lock().expect("not poisoned").is_empty());
}

#[tokio::test]
async fn production_has_no_such_buttons() {
    let answer = post(Stage::healthy().router(), "/demo/heal", "", &[SAME]).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_configuration_can_be_copied() {
    let answer = get(Stage::healthy().demo(), "/demo/config").await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "version: 1\n"));
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(get(Stage::healthy().router(), "/demo/config").await.status, StatusCode::NOT_FOUND);
}
