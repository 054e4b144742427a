//! What dashboards ask: each question as our API has it and, where there is such a thing, in PromQL.

use collector::config::Config;
use url::Url;
use wire::{CheckId, Micros, ProbeId, ServiceId, assignment::Target};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// A question that dashboards ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// One series over 24 hours in 288 buckets.
    Series,
    /// All series of a check over some days, in so many buckets.
    Check { days: i64, buckets: i64 },
    /// Availability and p99 of all checks of a service over 24 hours: a page of 50.
    Page,
    /// A service as one, over 24 hours.
    Service,
    /// A status page: all checks of a service, day by day.
    Days { days: i64 },
    /// The newest runs of one series.
    Runs,
    /// The newest evidence of a service.
    Evidence,
}

/// What a question is about; another one each time.
#[derive(Debug, Clone)]
pub struct Subject {
    service: ServiceId,
    check: CheckId,
    probe: ProbeId,
    target: Target,
}

impl Subject {
    /// The check.
    pub fn check(&self) -> &CheckId {
        &self.check
    }
}

/// All questions about a history of so many days.
pub fn questions(days: i64) -> Vec<Question> {
    let mut all = vec![Question::Series, Question::Check { days: 1, buckets: 96 }];
    let long = [Question::Check { days: 7, buckets: 168 }, Question::Check { days: 30, buckets: 120 }];
    all.extend(long.into_iter().filter(|question| question.seconds() <= days * DAY));
    all.extend([
        Question::Page,
        Question::Service,
        Question::Days { days },
        Question::Runs,
        Question::Evidence,
    ]);
    all
}

/// Subjects for questions: one for each check, spread over probes and targets, in an order that has nothing to do with
/// how they are stored.
pub fn subjects(config: &Config) -> Vec<Subject> {
    let mut subjects: Vec<Subject> = config
        .checks
        .iter()
        .enumerate()
        .map(|(n, (id, check))| Subject {
            service: check.service.clone(),
            check: id.clone(),
            probe: check.from[n % check.from.len()].clone(),
            target: check.to[n / check.from.len() % check.to.len()].clone(),
        })
        .collect();
    // A stride near the golden ratio visits all before it repeats one, and neighbours far apart.
    let count = subjects.len();
    let stride = (1..=count)
        .rev()
        .filter(|stride| gcd(*stride, count) == 1)
        .min_by_key(|stride| stride.abs_diff(count * 618 / 1_000));
    let order: Vec<usize> = (0..count).map(|n| n * stride.unwrap_or(1) % count).collect();
    let mut slots: Vec<Option<Subject>> = subjects.drain(..).map(Some).collect();
    order.into_iter().filter_map(|n| slots[n].take()).collect()
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl Question {
    /// For tables.
    pub fn name(self) -> String {
        match self {
            Question::Series => "one series, 24 h in 288 buckets".to_owned(),
            Question::Check { days, buckets } => {
                format!("all series of a check, {days} d in {buckets} buckets")
            }
            Question::Page => "50 checks, availability and p99 of 24 h".to_owned(),
            Question::Service => "a service as one, 24 h in 96 buckets".to_owned(),
            Question::Days { days } => format!("50 checks, {days} d by the day"),
            Question::Runs => "the newest 96 runs of a series".to_owned(),
            Question::Evidence => "the newest 50 failures of a service".to_owned(),
        }
    }

    /// How far it looks back.
    pub fn seconds(self) -> i64 {
        match self {
            Question::Check { days, .. } | Question::Days { days } => days * DAY,
            _ => DAY,
        }
    }

    /// The URL of our API.
    pub fn ours(self, collector: &Url, of: &Subject, to: Micros) -> Url {
        let Subject { service, check, probe, target } = of;
        let path = match self {
            Question::Runs => "/api/v1/samples",
            Question::Evidence => "/api/v1/evidence",
            _ => "/api/v1/history",
        };
        let mut url = crate::load::scrape::at(collector, path);
        let mut query = url.query_pairs_mut();
        query.append_pair("from", &to.plus_us(-self.seconds() * 1_000_000).to_string());
        query.append_pair("to", &to.to_string());
        let mut ask = |pairs: &[(&str, &str)]| {
            query.extend_pairs(pairs);
        };
        let buckets = |buckets: i64| buckets.to_string();
        match self {
            Question::Series | Question::Runs => {
                ask(&[("check", check.as_str()), ("probe", probe.as_str()), ("target", &target.to_string())]);
                ask(&[if self == Question::Runs { ("limit", "96") } else { ("buckets", "288") }]);
            }
            Question::Check { buckets: count, .. } => {
                ask(&[("check", check.as_str()), ("group", "probe,target"), ("buckets", &buckets(count))]);
            }
            Question::Page => ask(&[("service", service.as_str()), ("group", "check"), ("buckets", "1")]),
            Question::Service => ask(&[("service", service.as_str()), ("buckets", "96")]),
            Question::Days { days } => {
                ask(&[("service", service.as_str()), ("group", "check"), ("buckets", &buckets(days))]);
            }
            Question::Evidence => ask(&[("service", service.as_str()), ("limit", "50")]),
        }
        drop(query);
        url
    }

    /// The URLs of a Prometheus-compatible API that together answer the same, as far as it can.
    pub fn theirs(self, store: &Url, of: &Subject, to: Micros) -> Vec<Url> {
        let Subject { service, check, probe, target } = of;
        let series = format!("check=\"{check}\",probe=\"{probe}\",target=\"{target}\"");
        let range = |step: i64, query: String| self.range(store, to, step, &query);
        let p99 = |selector: &str, window| {
            format!("quantile_over_time(0.99, probe_duration_seconds{{{selector}}}[{window}s])")
        };
        let good = |selector: &str, window| format!("avg_over_time(probe_success{{{selector}}}[{window}s])");
        match self {
            Question::Series => {
                let step = DAY / 288;
                vec![range(step, p99(&series, step)), range(step, good(&series, step))]
            }
            Question::Check { days, buckets } => {
                let (step, selector) = (days * DAY / buckets, format!("check=\"{check}\""));
                vec![range(step, p99(&selector, step)), range(step, good(&selector, step))]
            }
            Question::Page => {
                let selector = format!("service=\"{service}\"");
                vec![
                    range(DAY, format!("max by (check) ({})", p99(&selector, DAY))),
                    range(DAY, format!("avg by (check) ({})", good(&selector, DAY))),
                ]
            }
            Question::Service => {
                let (step, selector) = (DAY / 96, format!("service=\"{service}\""));
                vec![
                    range(step, format!("max({})", p99(&selector, step))),
                    range(step, format!("avg({})", good(&selector, step))),
                ]
            }
            Question::Days { .. } => {
                let selector = format!("service=\"{service}\"");
                vec![
                    range(DAY, format!("max by (check) ({})", p99(&selector, DAY))),
                    range(DAY, format!("avg by (check) ({})", good(&selector, DAY))),
                ]
            }
            Question::Runs => vec![range(0, format!("probe_duration_seconds{{{series}}}[{}s]", 8 * HOUR))],
            Question::Evidence => Vec::new(),
        }
    }

    /// A query at one time.
    pub fn at_once(self, store: &Url, to: Micros, query: &str) -> Url {
        self.range(store, to, 0, query)
    }

    /// A query at every step (at the end only when the step is the whole range, or 0), without what is cached.
    fn range(self, store: &Url, to: Micros, step: i64, query: &str) -> Url {
        let end = to.0 / 1_000_000;
        let once = step == 0 || step >= self.seconds();
        let mut url =
            crate::load::scrape::at(store, if once { "/api/v1/query" } else { "/api/v1/query_range" });
        url.query_pairs_mut().append_pair("query", query).append_pair("nocache", "1");
        if once {
            url.query_pairs_mut().append_pair("time", &end.to_string());
        } else {
            let start = end - self.seconds() + step;
            url.query_pairs_mut()
                .append_pair("start", &start.to_string())
                .append_pair("end", &end.to_string())
                .append_pair("step", &step.to_string());
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        let text = "version: 1\nregions: { eu: {}, us: {} }\nprobes:\n  p-1: { region: eu, token: { env: T } }\n  p-2: { region: us, token: { env: U } }\n\
                    services: { shop: { regions: { eu: https://eu.test, us: https://us.test } } }\nchecks:\n";
        let checks: String = (0..12)
            .map(|n| format!("  c-{n}: {{ service: shop, interval: 60s, http: {{ path: / }} }}\n"))
            .collect();
        collector::config::parse(&format!("{text}{checks}"), "test.yaml").expect("valid")
    }

    #[test]
    fn every_check_is_asked_for_once() {
        let config = config();
        let mut checks: Vec<CheckId> = subjects(&config).into_iter().map(|subject| subject.check).collect();
        let stored: Vec<CheckId> = config.checks.keys().cloned().collect();
        assert_ne!(checks, stored);
        checks.sort();
        assert_eq!(checks, stored);
    }

    #[test]
    fn questions_look_back_as_far_as_there_is_history() {
        assert!(questions(1).iter().all(|question| question.seconds() <= DAY));
        assert_eq!(questions(30).len(), questions(1).len() + 2);
        let subject = &subjects(&config())[0];
        let base: Url = "http://127.0.0.1:1".parse().expect("a URL");
        let to = Micros(1_795_000_000_000_000);
        for question in questions(30) {
            let ours = question.ours(&base, subject, to);
            assert!(ours.as_str().contains("from=2026-"), "{ours}");
            for url in question.theirs(&base, subject, to) {
                assert!(url.as_str().contains("1795000000"), "{url}");
            }
        }
    }
}
