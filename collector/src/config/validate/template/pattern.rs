//! Patterns are compiled here as a probe will, so that a mistake shows where it was written.

use crate::config::read;
use serde_json_path::JsonPath;
use wire::assignment::{LONGEST_PATTERN, PATTERN_BYTES};

/// Checks an RFC 9535 JSONPath.
pub fn json_path(text: &str) -> Result<(), String> {
    const SHAPE: &str = "expected a JSONPath that begins with $, such as $.cart.id or $['id'][0]";
    short(text)?;
    if !(text == "$" || text.starts_with("$.") || text.starts_with("$[")) {
        return Err(SHAPE.to_owned());
    }
    if let Err(error) = JsonPath::parse(text) {
        return Err(format!(
            "{SHAPE}; {} is wrong from character {} on",
            read::quote(text),
            error.position()
        ));
    }
    // A pattern that the body brings along could be any.
    for function in ["match(", "search("] {
        for call in text.split(function).skip(1) {
            let second = call.split_once(',').map_or("", |(_, second)| second.trim_start());
            if !second.starts_with(['\'', '"']) {
                return Err("the pattern of `match` and `search` must be a text in quotes".to_owned());
            }
        }
    }
    Ok(())
}

/// Checks a regular expression; says how many groups it has.
pub fn regex(text: &str) -> Result<usize, String> {
    short(text)?;
    let built =
        regex::RegexBuilder::new(text).size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES).build();
    match built {
        Ok(regex) => Ok(regex.captures_len() - 1),
        Err(regex::Error::CompiledTooBig(_)) => {
            Err("the regular expression is too large when compiled; use fewer repetitions".to_owned())
        }
        // The last line says what; those before it point at the place.
        Err(error) => {
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
            Err(format!("is no regular expression: {why}"))
        }
    }
}

/// Checks a CSS selector.
pub fn css(text: &str) -> Result<(), String> {
    short(text)?;
    if text.to_ascii_lowercase().contains(":has(") {
        return Err("`:has` is not supported in CSS selectors".to_owned());
    }
    match scraper::Selector::parse(text) {
        Ok(_) => Ok(()),
        Err(_) => Err(format!(
            "expected a CSS selector such as `h1.title` or `input[name=csrf]`, found {}",
            read::quote(text)
        )),
    }
}

fn short(text: &str) -> Result<(), String> {
    if text.len() > LONGEST_PATTERN {
        return Err(format!("is {} bytes long; the limit is {LONGEST_PATTERN}", text.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_paths_from_other_texts() {
        for good in ["$", "$.a.b", "$['a.b'][0]", "$[?(@.a == ')')].b", "$..id", "$[?match(@.a, 'x.*')]"] {
            assert_eq!(json_path(good), Ok(()), "{good}");
        }
        for bad in ["", "a.b", "$a", "$.", "$[0", "$]", "$['a", "$[(])", "$[?match(@.a, @.b)]"] {
            assert!(json_path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn tells_expressions_and_selectors_from_other_texts() {
        assert_eq!(regex(r"order-(\d+)(x)?"), Ok(2));
        for (bad, word) in [("(", "unclosed group"), ("a{1000}{1000}", "too large"), ("(?=a)", "look-around")]
        {
            let why = regex(bad).expect_err(bad);
            assert!(why.contains(word), "{why}");
        }
        assert_eq!(css("form#login input[name=csrf]"), Ok(()));
        assert!(css("h1[").is_err() && css("p:has(a)").is_err() && css("").is_err());
    }
}
