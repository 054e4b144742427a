//! One step of a journey.

use super::{Journal, capture, place, set};
use crate::config::{
    read::{At, Fields},
    validate::{request, template, template::Scope},
};
use std::time::Duration;
use wire::assignment::{Expect, Place, Request, Step, When};

/// The keys that say a step's method and path in one, and the long form.
const VERBS: [&str; 8] = ["get", "post", "put", "patch", "delete", "head", "options", "request"];

pub(super) fn read(at: &At<'_>, journal: &mut Journal<'_>) -> Option<Step> {
    let mut known = vec!["name", "in", "when", "always", "wait", "set"];
    known.extend(VERBS);
    known.extend(request::CONTENT);
    known.extend(["expect", "capture", "within", "timeout"]);
    let fields = at.fields(&known)?;
    let name = fields.need("name", "browse").and_then(|at| {
        let name = at.label()?;
        if !journal.names.insert(name.clone()) {
            at.problem("another step has this name; name each step differently");
        }
        Some(name)
    });
    let timeout = journal.around.timeout;
    let place = fields.or("in", Place::Here, |at| place(at, journal.around));
    let when = when(&fields, journal);
    let wait = fields.or("wait", 0, |at| part(at, Duration::from_millis(1), timeout));
    let set = set(&fields, &mut journal.values);
    let scope = Scope::Names(&journal.values);
    let request = one_request(&fields, scope);
    let method = request.as_ref().map(|request| request.method.as_str());
    let regions = journal.around.regions;
    let expect = fields.or("expect", Expect::default(), |at| request::expect(at, scope, method, regions));
    let within = fields.maybe("within", |at| part(at, Duration::from_millis(10), timeout));
    let own = fields.maybe("timeout", |at| part(at, Duration::from_millis(10), timeout));
    let kept = fields.or("capture", Default::default(), capture::read);
    // Known to later steps even when something is wrong with them, so that each mistake is reported once.
    if let Some(entries) = fields.get("capture").filter(|_| kept.is_some()).and_then(At::entries) {
        journal.values.extend(entries.into_iter().map(|(name, _)| name.to_owned()));
    }
    let request = Request { expect: expect?, ..request? };
    let capture::Captures { values: capture, secret } = kept?;
    Some(Step {
        name: name?,
        place: place?,
        request,
        set: set?,
        capture,
        secret,
        within_us: within?,
        when: when?,
        timeout_us: own?,
        wait_us: wait?,
    })
}

fn one_request(fields: &Fields<'_>, scope: Scope<'_>) -> Option<Request> {
    match fields.one_of(&VERBS)? {
        ("request", at) => {
            for name in request::CONTENT {
                if let Some(at) = fields.get(name) {
                    at.problem_with_key(format!("move `{name}` into `request`"));
                }
            }
            let mut known = vec!["method", "path"];
            known.extend(request::CONTENT);
            request::long(&at.fields(&known)?, scope)
        }
        (verb, at) => {
            let method = verb.to_ascii_uppercase();
            let path = request::path(at, scope);
            request::with_content(fields, Some(&method), path, scope)
        }
    }
}

/// `when: succeeded`, `failed` or an expression; `always: true`. Steps for cleaning up stand last.
fn when(fields: &Fields<'_>, journal: &mut Journal<'_>) -> Option<When> {
    let always = fields.or("always", false, At::flag);
    let when = fields.or("when", When::Succeeded, |at| {
        let text = at.text(2048)?;
        match (text, template::only(text)) {
            ("succeeded", _) => Some(When::Succeeded),
            ("failed", _) => Some(When::Failed),
            (_, Some(expression)) => {
                Scope::Names(&journal.values).check(at, text)?;
                Some(When::If(expression.to_owned()))
            }
            _ => at.expected("`succeeded`, `failed` or one expression such as \"{{ plan == 'gold' }}\""),
        }
    });
    let (always, when) = (always?, when?);
    if always && let Some(at) = fields.get("when") {
        at.problem_with_key("`always` and `when` exclude each other; keep one of them");
        return None;
    }
    let when = if always { When::Always } else { when };
    if journal.cleaning && !when.is_cleanup() {
        fields.at().problem(
            "stands behind a step for cleaning up (`always` or `when: failed`); those must be the last ones",
        );
        return None;
    }
    journal.cleaning |= when.is_cleanup();
    Some(when)
}

/// A part of the check's timeout.
fn part(at: &At<'_>, least: Duration, timeout: Option<Duration>) -> Option<u32> {
    let part = at.duration(least..=Duration::from_secs(60))?;
    if timeout.is_some_and(|timeout| part > timeout) {
        at.problem("is longer than the check's timeout, which would cut it; raise `timeout` of the check");
        return None;
    }
    u32::try_from(part.as_micros()).ok()
}
