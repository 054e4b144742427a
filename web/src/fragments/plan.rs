//! The plan in force of each service: why, what passed it, who was told, and whether traffic followed.

use super::{
    Clock,
    chain::{Chain, proof_icon},
    words::{Shape, cause},
};
use crate::{
    format,
    html::{Bar, Icon, Stamp},
};
use askama::Template;
use wire::view::{DeliveryState, DeliveryView, Overview, PlanView, ProofState, ServiceView, TimelineKind};

#[derive(Template)]
#[template(path = "plan.html")]
pub struct Plans {
    cards: Vec<Card>,
    /// Services that have no plan yet.
    without: Vec<String>,
}

struct Card {
    service: String,
    name: String,
    generation: i64,
    term: i64,
    cause: String,
    reason: String,
    age: Stamp,
    created: Stamp,
    chain: Chain,
    /// The newest thing that was held back since this plan.
    held: Option<Held>,
    weights: Vec<Weight>,
    guards: Vec<Guard>,
    deliveries: Vec<Delivery>,
    proof: ProofState,
    proof_icon: Icon,
    proof_samples: String,
    proof_at: Option<Stamp>,
    proof_detail: String,
}

struct Held {
    title: String,
    detail: String,
    age: Stamp,
}

struct Weight {
    region: String,
    weight: u8,
    planned: String,
    planned_bar: Bar,
    measured: String,
    measured_bar: Bar,
}

struct Guard {
    name: String,
    passed: bool,
    icon: Icon,
    detail: String,
}

struct Delivery {
    id: String,
    receiver: String,
    state: DeliveryState,
    icon: Icon,
    attempts: i64,
    latency: String,
    next_attempt: Option<Stamp>,
    last_error: String,
}

impl Plans {
    pub fn new(overview: &Overview, clock: Clock) -> Self {
        let planned = |s: &ServiceView| s.plan.as_ref().map(|plan| card(overview, s, plan, clock));
        Self {
            cards: overview.services.iter().filter_map(planned).collect(),
            without: overview.services.iter().filter(|s| s.plan.is_none()).map(|s| s.name.clone()).collect(),
        }
    }
}

fn card(overview: &Overview, service: &ServiceView, view: &PlanView, clock: Clock) -> Card {
    let (plan, proof) = (&view.plan, &view.proof);
    let held = overview
        .timeline
        .iter()
        .find(|e| {
            e.service.as_ref() == Some(&service.id)
                && matches!(e.kind, TimelineKind::Held | TimelineKind::Plan)
        })
        .filter(|e| e.kind == TimelineKind::Held && e.at >= plan.created);
    Card {
        service: service.id.to_string(),
        name: service.name.clone(),
        generation: plan.generation,
        term: plan.term,
        cause: cause(&plan.cause),
        reason: plan.reason.clone(),
        age: clock.age(plan.created),
        created: Stamp::clock(plan.created),
        chain: Chain::new(overview, service, view, clock),
        held: held.map(|e| Held { title: e.title.clone(), detail: e.detail.clone(), age: clock.age(e.at) }),
        weights: weights(view),
        guards: view
            .guards
            .iter()
            .map(|g| Guard {
                name: g.name.clone(),
                passed: g.passed,
                icon: Icon(if g.passed { "healthy" } else { "down" }),
                detail: g.detail.clone(),
            })
            .collect(),
        deliveries: view.deliveries.iter().map(|d| delivery(d, clock)).collect(),
        proof: proof.state,
        proof_icon: proof_icon(view),
        proof_samples: format::count(proof.samples.into()),
        proof_at: proof.at.map(Stamp::clock),
        proof_detail: proof.detail.clone(),
    }
}

fn weights(view: &PlanView) -> Vec<Weight> {
    let row = |(region, weight): (&wire::RegionId, &u8)| {
        let planned = view.plan.share(region);
        let measured = view.proof.shares.get(region).copied();
        // A region that served nothing is absent from the shares once there are any.
        let measured = measured.or_else(|| (view.proof.samples > 0).then_some(0.0));
        Weight {
            region: region.to_string(),
            weight: *weight,
            planned: format::percent(planned),
            planned_bar: Bar { share: planned, class: "planned" },
            measured: measured.map_or_else(|| "–".to_owned(), format::percent),
            measured_bar: Bar { share: measured.unwrap_or(0.0), class: "observed" },
        }
    };
    view.plan.weights.iter().map(row).collect()
}

fn delivery(view: &DeliveryView, clock: Clock) -> Delivery {
    Delivery {
        id: view.id.clone(),
        receiver: view.receiver.to_string(),
        state: view.state,
        icon: view.state.icon(),
        attempts: view.attempts,
        latency: view
            .acknowledged
            .map_or_else(|| "–".to_owned(), |at| format::duration(at.since(view.created))),
        // A past attempt says nothing; one to come is shown as the time of day.
        next_attempt: view
            .next_attempt
            .filter(|at| view.state == DeliveryState::Pending && *at > clock.now)
            .map(Stamp::clock),
        last_error: view.last_error.clone(),
    }
}
