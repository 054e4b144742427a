//! Opens all sealed evidence of a JSON document, whatever it is part of: an answer of the API, a line of an export.

use super::{EvidenceKey, cipher};
use serde_json::{Map, Value, json};

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Revealed {
    pub opened: usize,
    pub refused: usize,
}

/// Puts beside each `withheld: { sealed: … }` of the document what it says: `opened` with `content` and the label it
/// was sealed with, or `error`. Documents have at most the depth that the JSON reader lets through (128).
pub fn reveal(keys: &[EvidenceKey], document: &mut Value) -> Revealed {
    let mut revealed = Revealed::default();
    walk(keys, document, &mut revealed);
    revealed
}

fn walk(keys: &[EvidenceKey], value: &mut Value, revealed: &mut Revealed) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| walk(keys, item, revealed)),
        Value::Object(object) => {
            object.values_mut().for_each(|item| walk(keys, item, revealed));
            if let Some(found) = open(keys, object) {
                let (name, count) = match &found {
                    Ok(_) => ("opened", &mut revealed.opened),
                    Err(_) => ("error", &mut revealed.refused),
                };
                *count += 1;
                object.insert(name.to_owned(), found.unwrap_or_else(Value::String));
            }
        }
        _ => {}
    }
}

fn open(keys: &[EvidenceKey], object: &Map<String, Value>) -> Option<Result<Value, String>> {
    let sealed = object.get("withheld")?.get("sealed")?.as_str()?;
    Some(match cipher::open(keys.iter(), sealed) {
        Ok((label, content)) => Ok(json!({ "content": content, "label": label })),
        Err(error) => Err(error.to_string()),
    })
}
