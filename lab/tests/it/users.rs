//! The users: they come at the rate, and what they meet is counted.

use crate::common::{region, until};
use lab::{
    shop::{Mode, Shop},
    users::Users,
};
use wire::Micros;

#[tokio::test]
async fn users_count_what_they_meet() {
    let shop = Shop::start(region("x"), ([127, 0, 0, 1], 0).into()).await.expect("a shop");
    let users = Users::start(&format!("http://{}", shop.addr()), 100.0, 1).expect("users");
    until("some were served", || async { (users.stats().regions.get("x")? > &30).then_some(()) }).await;
    assert_eq!(users.stats().failed, 0);
    assert!(shop.stats().carts > 0, "some make carts");
    shop.set_mode(Mode::Errors);
    until("some met errors", || async { (users.stats().reasons.get("status")? > &10).then_some(()) }).await;
    shop.set_mode(Mode::Stopped);
    until("some were refused", || async { (users.stats().reasons.get("transport")? > &10).then_some(()) })
        .await;
    drop(shop);
    let (stats, seen) = (users.stats(), users.snapshot());
    assert!(seen.failed_between(Micros(0), Micros(i64::MAX)) >= stats.failed);
    assert!(stats.last_failure.is_some());
}
