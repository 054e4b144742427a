//! The entrance: whom it believes, what it refuses, and where requests go.

use crate::common::{SECRET, client, json, plan, region, seconds, steer, until};
use lab::{
    entrance::{Entrance, EntranceConfig, EntranceError, Upstream},
    shop::{Mode, Shop},
};
use std::{collections::BTreeMap, time::Duration};

const PATIENT: Duration = Duration::from_secs(20);

fn config(shops: &[Shop], timeout: Duration) -> EntranceConfig {
    let upstream = |shop: &Shop| {
        let url = format!("http://shop.{}.demo.test", shop.region());
        (shop.region().clone(), Upstream { url, resolve: Some(shop.addr()) })
    };
    EntranceConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        service: "shop".parse().expect("a slug"),
        upstreams: shops.iter().map(upstream).collect(),
        secret: SECRET.into(),
        seed: 1,
        timeout,
    }
}

async fn two_shops() -> Vec<Shop> {
    let mut shops = Vec::new();
    for name in ["a", "b"] {
        shops.push(Shop::start(region(name), ([127, 0, 0, 1], 0).into()).await.expect("a shop"));
    }
    shops
}

async fn entrance(shops: &[Shop], timeout: Duration) -> Entrance {
    Entrance::start(config(shops, timeout)).await.expect("an entrance")
}

#[tokio::test]
async fn only_newer_believable_sensible_plans_are_applied() {
    let shops = two_shops().await;
    let entrance = entrance(&shops, PATIENT).await;
    let (to, now) = (entrance.addr(), seconds());
    let told = |term, generation, weights: &[(&str, u8)]| plan("shop", term, generation, weights);
    let status = async |plan, secret, at| steer(to, &plan, secret, at).await.0;

    let other = "whsec_YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODk=";
    assert_eq!(status(told(1, 1, &[("a", 0), ("b", 100)]), other, now).await, 401);
    assert_eq!(status(told(1, 1, &[("a", 0), ("b", 100)]), SECRET, now - 1000).await, 401);
    assert_eq!(status(plan("other", 1, 1, &[("a", 100)]), SECRET, now).await, 422);
    assert_eq!(status(told(1, 1, &[("a", 0), ("b", 0)]), SECRET, now).await, 422);
    assert_eq!(status(told(1, 1, &[("a", 100), ("mars", 1)]), SECRET, now).await, 422);
    assert_eq!(entrance.state().applied, 0);

    let (code, body) = steer(to, &told(2, 7, &[("a", 0), ("b", 100)]), SECRET, now).await;
    assert_eq!((code, body), (200, serde_json::json!({ "applied": true, "generation": 7 })));
    let (code, body) = steer(to, &told(2, 7, &[("a", 0), ("b", 100)]), SECRET, now).await;
    assert_eq!((code, body), (200, serde_json::json!({ "applied": false, "generation": 7 })));
    for old in [told(2, 6, &[("a", 100)]), told(1, 99, &[("a", 100)])] {
        let (code, body) = steer(to, &old, SECRET, now).await;
        assert_eq!((code, body["title"].as_str()), (409, Some("stale")));
    }

    let shown = client(PATIENT).get(format!("http://{to}/_steer")).send().await.expect("an answer");
    let (code, shown) = json(shown).await;
    assert_eq!((code, &shown["weights"]), (200, &serde_json::json!({ "a": 0, "b": 100 })));
    let refused =
        serde_json::json!({ "signature": 2, "malformed": 0, "service": 1, "weights": 2, "stale": 2 });
    assert_eq!((&shown["refused"], &shown["applied"]), (&refused, &1.into()));
    assert_eq!(shown, serde_json::to_value(entrance.state()).expect("JSON"));
}

#[tokio::test]
async fn requests_go_where_the_weights_say_and_come_back_whole() {
    let shops = two_shops().await;
    let entrance = entrance(&shops, PATIENT).await;
    let url = format!("http://{}", entrance.addr());
    let http = client(PATIENT);
    let share = async || {
        let mut seen = BTreeMap::<String, u32>::new();
        for _ in 0..60 {
            let answer = http.get(format!("{url}/products")).send().await.expect("an answer");
            let name = answer.headers()["x-region"].to_str().expect("a region").to_owned();
            let (code, body) = json(answer).await;
            assert_eq!((code, body["region"].as_str()), (200, Some(name.as_str())));
            *seen.entry(name).or_default() += 1;
        }
        seen
    };
    let before = share().await;
    assert!(before.len() == 2 && before.values().all(|count| *count > 15), "{before:?}");
    steer(entrance.addr(), &plan("shop", 1, 1, &[("b", 40)]), SECRET, seconds()).await;
    assert_eq!(share().await, BTreeMap::from([("b".to_owned(), 60)]));
    let made = http.post(format!("{url}/carts")).send().await.expect("an answer");
    let (code, cart) = json(made).await;
    assert_eq!(code, 201);
    let missing = http.get(format!("{url}/carts/none?x=1")).send().await.expect("an answer");
    assert_eq!(missing.headers()["content-type"], "application/problem+json");
    let cart = cart["cart"].as_str().expect("an id");
    let add = http
        .post(format!("{url}/carts/{cart}/items"))
        .json(&serde_json::json!({ "sku": "rope", "quantity": 2 }));
    assert_eq!(json(add.send().await.expect("an answer")).await.1["total_cents"], 3040);
    let state = entrance.state();
    assert_eq!(state.requests[&region("a")].failed + state.requests[&region("b")].failed, 0);
    assert_eq!(state.requests.values().map(|requests| requests.total).sum::<u64>(), 123);
}

#[tokio::test]
async fn broken_regions_are_502_and_504_and_named() {
    let shops = two_shops().await;
    let entrance = entrance(&shops, Duration::from_millis(300)).await;
    let url = format!("http://{}/products", entrance.addr());
    steer(entrance.addr(), &plan("shop", 1, 1, &[("a", 100)]), SECRET, seconds()).await;
    for (mode, expected) in
        [(Mode::Stopped, 502), (Mode::Hang, 504), (Mode::Errors, 500), (Mode::Normal, 200)]
    {
        shops[0].set_mode(mode);
        let answer = until("the entrance shows it", || async {
            let answer = client(PATIENT).get(&url).send().await.expect("the entrance is well");
            (answer.status().as_u16() == expected).then_some(answer)
        })
        .await;
        let region = if expected > 500 { "x-entrance-tried" } else { "x-region" };
        assert_eq!(answer.headers()[region], "a", "{mode}");
    }
    assert!(entrance.state().requests[&region("a")].failed >= 3);
    let huge = client(PATIENT).post(&url).body(vec![0; (1 << 20) + 1]).send().await;
    // The entrance may close before the last byte was sent, which the client may see instead of the answer.
    assert!(huge.is_err() || huge.is_ok_and(|answer| answer.status().as_u16() == 413));
}

#[tokio::test]
async fn a_request_under_way_finishes_when_the_weights_change() {
    let shops = two_shops().await;
    let entrance = entrance(&shops, PATIENT).await;
    steer(entrance.addr(), &plan("shop", 1, 1, &[("a", 100)]), SECRET, seconds()).await;
    shops[0].set_mode(Mode::Slow(Duration::from_millis(1500)));
    let request = client(PATIENT).get(format!("http://{}/products", entrance.addr())).send();
    let request = tokio::spawn(request);
    until("it is at the shop", || async { (shops[0].stats().requests == 1).then_some(()) }).await;
    steer(entrance.addr(), &plan("shop", 1, 2, &[("b", 100)]), SECRET, seconds()).await;
    assert_eq!(entrance.state().requests[&region("a")].total, 0, "it is still under way");
    let answer = request.await.expect("no panic").expect("an answer");
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["x-region"]),
        (200, &"a".parse().expect("a header"))
    );
}

#[tokio::test]
async fn a_configuration_that_cannot_work_is_refused() {
    let shops = two_shops().await;
    let mut bad = config(&shops, PATIENT);
    bad.secret = "hunter2".into();
    assert!(matches!(Entrance::start(bad).await.err(), Some(EntranceError::Secret(_))));
    let mut bad = config(&shops, PATIENT);
    bad.upstreams.insert(region("c"), Upstream { url: "https://x".into(), resolve: None });
    assert!(matches!(Entrance::start(bad).await.err(), Some(EntranceError::Url { .. })));
    assert!(matches!(Entrance::start(config(&[], PATIENT)).await.err(), Some(EntranceError::NoUpstreams)));
    let mut bad = config(&shops, PATIENT);
    bad.listen = shops[0].addr();
    assert!(matches!(Entrance::start(bad).await.err(), Some(EntranceError::Listen { .. })));
}
