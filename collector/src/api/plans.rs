//! Plans: the one in force with its proof, and all that were made.

use super::{Rejected, overview, params::Params, problem::Names, timeline::Paging};
use crate::App;
use axum::{Json, extract::State};
use serde::Serialize;
use wire::{
    plan::Plan,
    view::{DeliveryView, GuardView, Page, PlanView},
};

/// A plan of the past.
#[derive(Debug, Serialize)]
pub struct Made {
    #[serde(flatten)]
    plan: Plan,
    guards: Vec<GuardView>,
    deliveries: Vec<DeliveryView>,
}

/// `GET /api/v1/services/{service}/plan`
///
/// # Errors
/// 404 for an unknown service or before its first plan, 503 when the database does not answer.
pub async fn current(State(app): State<App>, Names(id): Names<String>) -> Result<Json<PlanView>, Rejected> {
    let service = overview::find(&app, &id).await?;
    service.plan.map(Json).ok_or_else(|| {
        let detail = "the first plan is made once something is known of every region of the service";
        Rejected::new(404, "no-plan", "There is no plan yet", detail)
    })
}

/// `GET /api/v1/services/{service}/plans?limit=&cursor=`, newest first.
///
/// # Errors
/// 400 for a bad query, 404 for an unknown service, 503 when the database does not answer.
pub async fn list(
    State(app): State<App>,
    Names(id): Names<String>,
    Params(paging): Params<Paging>,
) -> Result<Json<Page<Made>>, Rejected> {
    let service = overview::find(&app, &id).await?.id;
    let (before, limit) = paging.check()?;
    let plans = app.store.plans(&service, before, limit).await?;
    let next_cursor = Paging::next(limit, plans.len(), plans.last().map(|(plan, _)| plan.generation));
    let mut items = Vec::with_capacity(plans.len());
    for (plan, guards) in plans {
        let deliveries = app.store.deliveries(&service, plan.generation).await?;
        items.push(Made { plan, guards, deliveries });
    }
    Ok(Json(Page { items, next_cursor }))
}
