//! What happens again and again in an outage: users leave a region, and come back in steps.

use super::{
    LONG, World,
    ending::proved,
    entrance::{Effect, Told},
    eventually,
};
use anyhow::{Context, ensure};
use wire::{
    RegionId,
    plan::Cause,
    view::{DeliveryState, PlanView, VerdictState},
};

impl World {
    /// Waits until the plan in force empties a region and traffic was measured to follow it.
    pub async fn wait_until_evacuated(&self, region: &RegionId) -> PlanView {
        eventually("the region is evacuated, and that is proved", LONG, async || {
            let view = self.plan().await?;
            ensure!(view.plan.cause == Cause::Evacuate(region.clone()), "the plan is {:?}", view.plan);
            proved(view)
        })
        .await
    }

    /// Waits until the evacuation of a region is decided, the entrance has heard of it at least `heard` times, and it is
    /// still to be delivered.
    pub async fn wait_until_pending(&self, region: &RegionId, heard: usize) -> PlanView {
        eventually("an evacuation is decided and not delivered", LONG, async || {
            let view = self.plan().await?;
            ensure!(view.plan.cause == Cause::Evacuate(region.clone()), "the plan is {:?}", view.plan);
            let delivery = view.deliveries.first().context("no delivery")?;
            ensure!(delivery.state == DeliveryState::Pending, "{delivery:?}");
            let times = self.entrance.told().iter().filter(|told| told.id == delivery.id).count();
            ensure!(times >= heard, "the entrance heard of it {times} times");
            Ok(view)
        })
        .await
    }

    /// Waits until all users of a region are back and traffic was measured to follow.
    pub async fn wait_until_returned(&self, region: &RegionId) -> PlanView {
        eventually("the region has all its users again, and that is proved", LONG, async || {
            let view = self.plan().await?;
            let cause = Cause::Failback { region: region.clone(), percent: 100 };
            ensure!(view.plan.cause == cause, "the plan is {:?}", view.plan);
            proved(view)
        })
        .await
    }

    /// Waits for the verdict on a region.
    pub async fn wait_for_verdict(&self, region: &RegionId, state: VerdictState) {
        eventually("the verdict is made", LONG, async || {
            let service = self.service().await?;
            let seen =
                service.regions.into_iter().find(|seen| seen.region == *region).context("no region")?;
            ensure!(seen.verdict.state == state, "{region} should be {state}: {:?}", seen.verdict);
            Ok(())
        })
        .await;
    }

    /// The webhook that brought a plan into force. There is exactly one, whatever was sent how often, and it says
    /// what the API says.
    pub fn applied(&self, view: &PlanView) -> anyhow::Result<Told> {
        let plan = &view.plan;
        let mut applied = self.entrance.applied();
        applied.retain(|told| told.generation == plan.generation);
        ensure!(applied.len() == 1, "generation {} came into force by {applied:?}", plan.generation);
        let told = applied.remove(0);
        ensure!(
            told.verified && told.term == plan.term && told.weights == plan.weights,
            "{told:?} and {plan:?}"
        );
        let id = &view.deliveries.first().context("no delivery")?.id;
        ensure!(told.id == *id, "the webhook has the id {}, the delivery {id}", told.id);
        Ok(told)
    }

    /// Checks an evacuation as users and the timeline saw it: no request after the webhook went to the region, the
    /// others got some, and the story is told in the order of cause and effect.
    pub async fn check_evacuation(&self, region: &RegionId, view: &PlanView) -> anyhow::Result<()> {
        let told = self.applied(view)?;
        for (other, weight) in &told.weights {
            ensure!(
                (*weight == 0) == (other == region),
                "{region} is down, and the weights are {:?}",
                told.weights
            );
        }
        ensure!(
            self.entrance.weights() == told.weights,
            "the entrance goes by {:?}",
            self.entrance.weights()
        );
        let served = self.entrance.served_since(Some(&told));
        for (other, requests) in &served {
            ensure!(
                (*requests == 0) == (other == region),
                "after the webhook, users were sent to {served:?}"
            );
        }
        let failed = view.guards.iter().find(|guard| !guard.passed);
        ensure!(failed.is_none() && !view.guards.is_empty(), "guards: {:?}", view.guards);
        let story = self.story().await?;
        let ids = story.of_plan(region, view.plan.generation);
        ensure!(ids.iter().all(Option::is_some) && ids.is_sorted(), "out of order: {ids:?} in {story:?}");
        Ok(())
    }

    /// Checks everything that the entrance was ever told: every signature was right, every body made sense, nothing
    /// went back, and one generation never has two meanings.
    pub fn check_webhooks(&self) -> anyhow::Result<()> {
        let all = self.entrance.told();
        for told in &all {
            ensure!(told.verified, "a wrong signature: {told:?}");
            let bad = matches!(told.effect, Effect::Nonsense | Effect::Stale);
            ensure!(!bad && told.weights.values().any(|weight| *weight > 0), "{told:?}");
        }
        for pair in all.windows(2) {
            let [one, next] = pair else { continue };
            ensure!((one.term, one.generation) <= (next.term, next.generation), "{next:?} follows {one:?}");
            let same = (&one.id, one.term, &one.weights) == (&next.id, next.term, &next.weights);
            ensure!(same == (one.generation == next.generation), "{next:?} follows {one:?}");
        }
        Ok(())
    }
}
