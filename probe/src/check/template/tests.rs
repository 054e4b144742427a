//! Templates.

use super::*;
use crate::check::secrets::Values;
use crate::check::tests::{check, get, here, trace_run};
use proptest::prelude::*;
use serde_json::Value as Json;
use wire::assignment::{CheckKind, Content, Request};

pub fn templates(run: &Run) -> Templates {
    let mut check = check(CheckKind::Http(get("/")));
    check.places.vantage = Some("home".parse().expect("an id"));
    check.regions = [("us-east-1".parse().expect("an id"), "http://us.test".to_owned())].into();
    Templates::new(&check, &here("http://eu.test"), run, &Values::new())
}

fn render(text: &str) -> Result<String, String> {
    let mut templates = templates(&trace_run());
    templates.keep("id", "a{{ region }}\"<&");
    templates.keep("run", "x");
    let mut text = text.to_owned();
    templates.render("path", &mut text).map(|()| text).map_err(|fault| fault.fault().summary)
}

#[test]
fn values_are_filled_in_as_they_are() {
    let id = "ab".repeat(16);
    assert_eq!(
        render("/x/{{ id }}?r={{ run.id }}&g={{ region }}\n"),
        Ok(format!("/x/a{{{{ region }}}}\"<&?r={id}&g=eu\n"))
    );
    for (text, want) in [
        ("{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}"),
        ("{% for %} {# x #} {{ '' }}", "{% for %} {# x #} "),
        ("{{ here.url }} {{ regions['us-east-1'].url }}", "http://eu.test http://us.test"),
        ("{{ vantage }}", "home"),
        ("{{ id | urlencode }}", "a%7B%7B%20region%20%7D%7D%22%3C%26"),
        ("{{ ' Ab ' | trim | upper }}{{ 'Ab' | lower | base64 }}{{ '7' | int + 1 }}", "ABYWI=8"),
        ("{{ nothing | default('none') }} {{ id | length }} {{ 'a\"' | tojson }}", "none 16 \"a\\\"\""),
        ("{{ now() }} {{ timestamp() }} {{ timestamp_ms() }}", ""),
    ] {
        let found = render(text).unwrap_or_else(|why| panic!("{text}: {why}"));
        assert!(found == want || want.is_empty(), "{text}: {found}");
    }
    let now = render("{{ now() }}").expect("the time");
    assert!(now.starts_with("2026-11-20T00:0"), "{now}");
    assert_eq!(render("{{ timestamp() }}").map(|t| t.len()), Ok(10));
}

#[test]
fn a_run_draws_the_same_again_and_another_run_does_not() {
    let text = "{{ uuid() }} {{ uuid() }} {{ random_int(1, 6) }} {{ random_hex(9) }} {{ random_word() }}";
    let drawn = |run: &Run| {
        let mut text = text.to_owned();
        templates(run).render("path", &mut text).expect("is right");
        text
    };
    let one = drawn(&trace_run());
    assert_eq!(one, drawn(&trace_run()));
    let mut other = trace_run();
    other.trace.trace_id[15] ^= 1;
    assert_ne!(one, drawn(&other));
    let parts: Vec<_> = one.split(' ').collect();
    assert_ne!(parts[0], parts[1]);
    assert_eq!((parts[0].len(), parts[3].len(), parts[4].len()), (36, 9, 6), "{one}");
}

#[test]
fn mistakes_are_explained() {
    for (text, word) in [
        ("{{ missing }}", "undefined value"),
        ("{{ run.missing }}", "undefined value"),
        ("{{ id", "syntax error"),
        ("{{ range(9) }}", "unknown function"),
        ("{{ id | replace('a', id) }}", "unknown filter"),
        ("{{ random_int(2, 1) }}", "must not be the larger"),
        ("{{ random_hex(999) }}", "1 to 256"),
        ("{{ 'abcdefgh' * 9999999 }}", "longer than 1 MiB"),
    ] {
        let why = render(text).expect_err(text);
        assert!(why.contains(word) && why.contains("the path"), "{why}");
    }
}

#[test]
fn conditions_are_true_or_false() {
    let mut templates = templates(&trace_run());
    templates.keep("plan", "gold");
    for (expression, want) in
        [("plan == 'gold'", true), ("plan == 'x' or not plan", false), ("region in ['eu', 'us']", true)]
    {
        assert_eq!(templates.holds(expression).ok(), Some(want), "{expression}");
    }
    assert!(templates.holds("nothing == 1").is_err());
}

proptest! {
    #[test]
    fn no_value_changes_the_shape_of_a_json_body(value: String) {
        let mut templates = templates(&trace_run());
        templates.keep("v", &value);
        let body = r#"{"a":"{{ v }}","b":["x{{ v }}y",1,null],"c":{"d":true}}"#;
        let request = Request { body: Some(body.to_owned()), content: Content::Json, ..get("/") };
        let filled = templates.fill(&request).expect("is right").body.expect("a body");
        let json: Json = serde_json::from_str(&filled).expect("still JSON");
        prop_assert_eq!(
            json,
            serde_json::json!({"a": value, "b": [format!("x{value}y"), 1, null], "c": {"d": true}})
        );
    }
}
