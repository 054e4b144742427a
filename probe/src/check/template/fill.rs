//! Which texts of a request hold templates.

use super::{Templates, Unfilled, failed};
use crate::check::words;
use serde_json::Value as Json;
use wire::assignment::{Content, Expect, Must, Request};

/// Whether a text of a request holds a template.
pub(in crate::check) fn are_in(request: &Request) -> bool {
    let has = |text: &String| text.contains("{{");
    let pairs = |pairs: &[(String, String)]| pairs.iter().any(|(_, value)| has(value));
    let content = match &request.content {
        Content::Form(fields) => pairs(fields),
        Content::Multipart(parts) => {
            parts.iter().any(|part| has(&part.value) || part.filename.as_ref().is_some_and(has))
        }
        Content::Text | Content::Json => false,
    };
    let Expect { body_contains, json, rules, .. } = &request.expect;
    let expected = rules.iter().any(|rule| match &rule.must {
        Must::Equal(text) | Must::Differ(text) | Must::Contain(text) | Must::Lack(text) => has(text),
        _ => false,
    });
    content
        || expected
        || has(&request.path)
        || pairs(&request.query)
        || request.headers.values().chain(&request.body).chain(body_contains).chain(json.values()).any(has)
}

impl Templates {
    /// Fills in path, query, header values, body, and the texts that the answer is compared with.
    ///
    /// # Errors
    /// A fault of class [`wire::sample::FailClass::Request`] with the place and the reason.
    pub(in crate::check) fn fill(&self, request: &Request) -> Result<Request, Unfilled> {
        let mut filled = request.clone();
        self.render("path", &mut filled.path)?;
        self.pairs("query", &mut filled.query)?;
        for (name, value) in &mut filled.headers {
            self.render(&format!("header {}", words::line(name, 40)), value)?;
        }
        self.content(&mut filled)?;
        if let Some(text) = &mut filled.expect.body_contains {
            self.render("expected text", text)?;
        }
        for (path, text) in &mut filled.expect.json {
            self.render(&format!("expected {}", words::line(path, 40)), text)?;
        }
        for rule in &mut filled.expect.rules {
            if let Must::Equal(text) | Must::Differ(text) | Must::Contain(text) | Must::Lack(text) =
                &mut rule.must
            {
                self.render("expectation", text)?;
            }
        }
        Ok(filled)
    }

    /// Makes values in order, each for those after it.
    ///
    /// # Errors
    /// As for [`Templates::fill`].
    pub(in crate::check) fn set(&mut self, values: &[(String, String)]) -> Result<(), Unfilled> {
        for (name, text) in values {
            let mut text = text.clone();
            self.render(&format!("value `{}`", words::line(name, 40)), &mut text)?;
            self.keep(name, &text);
        }
        Ok(())
    }

    fn content(&self, filled: &mut Request) -> Result<(), Unfilled> {
        match (&mut filled.content, &mut filled.body) {
            (Content::Json, Some(body)) => {
                let mut json: Json = serde_json::from_str(body)
                    .map_err(|error| Unfilled::Wrong(failed("body", &format!("it is no JSON: {error}"))))?;
                self.leaves(&mut json)?;
                *body = json.to_string();
            }
            (_, Some(body)) => self.render("body", body)?,
            (_, None) => {}
        }
        match &mut filled.content {
            Content::Form(fields) => self.pairs("form", fields),
            Content::Multipart(parts) => parts.iter_mut().try_for_each(|part| {
                self.render("multipart body", &mut part.value)?;
                part.filename.as_mut().map_or(Ok(()), |name| self.render("name of a file", name))
            }),
            Content::Text | Content::Json => Ok(()),
        }
    }

    /// Strings inside a JSON value, one by one: whatever they become, they stay strings.
    fn leaves(&self, json: &mut Json) -> Result<(), Unfilled> {
        match json {
            Json::String(text) => self.render("body", text),
            Json::Array(items) => items.iter_mut().try_for_each(|item| self.leaves(item)),
            Json::Object(fields) => fields.values_mut().try_for_each(|value| self.leaves(value)),
            Json::Null | Json::Bool(_) | Json::Number(_) => Ok(()),
        }
    }

    fn pairs(&self, place: &str, pairs: &mut [(String, String)]) -> Result<(), Unfilled> {
        pairs.iter_mut().try_for_each(|(name, value)| {
            self.render(&format!("{place} field {}", words::line(name, 40)), value)
        })
    }
}
