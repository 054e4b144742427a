//! The shop: what users see, how it misbehaves, and how carts reach the other regions.

use crate::common::{client, json, region, until};
use lab::{
    link::{Fault, Shape, TcpLink},
    shop::{Mode, Shop},
};
use serde_json::{Value, json as doc};
use std::time::Duration;

async fn start(name: &str) -> Shop {
    Shop::start(region(name), ([127, 0, 0, 1], 0).into()).await.expect("a shop")
}

async fn get(shop: &Shop, path: &str) -> Option<(u16, Value)> {
    let answer =
        client(Duration::from_secs(20)).get(format!("http://{}{path}", shop.addr())).send().await.ok()?;
    assert_eq!(answer.headers()["x-region"], shop.region().as_str());
    Some(json(answer).await)
}

async fn post(shop: &Shop, path: &str, body: &str) -> (u16, Value) {
    let url = format!("http://{}{path}", shop.addr());
    let answer = client(Duration::from_secs(20)).post(url).body(body.to_owned()).send().await;
    json(answer.expect("an answer")).await
}

async fn cart(shop: &Shop) -> String {
    let (code, cart) = post(shop, "/carts", "").await;
    assert_eq!(code, 201);
    cart["cart"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_user_shops_and_mistakes_are_explained() {
    let shop = start("x").await;
    assert_eq!(get(&shop, "/health").await, Some((200, doc!({ "status": "ok", "region": "x" }))));
    let (_, products) = get(&shop, "/products").await.expect("products");
    assert_eq!(products["products"].as_array().map(Vec::len), Some(6));
    let id = cart(&shop).await;
    let items = format!("/carts/{id}/items");
    for _ in 0..2 {
        assert_eq!(post(&shop, &items, r#"{"sku":"compass","quantity":2}"#).await.0, 200);
    }
    let (code, seen) = get(&shop, &format!("/carts/{id}")).await.expect("the cart");
    assert_eq!((code, &seen["total_cents"], &seen["version"]), (200, &9960.into(), &3.into()));
    for (path, body, expected) in [
        (items.as_str(), "{", 400),
        (&items, r#"{"sku":"compass","quantity":-1}"#, 400),
        (&items, r#"{"sku":"kraken","quantity":1}"#, 422),
        (&items, r#"{"sku":"compass","quantity":0}"#, 422),
        (&items, r#"{"sku":"compass","quantity":99}"#, 422),
        ("/carts/nobody/items", r#"{"sku":"compass","quantity":1}"#, 404),
        ("/replicate", "[]", 400),
    ] {
        let (code, problem) = post(&shop, path, body).await;
        assert_eq!((code, problem["status"].as_u64()), (expected, Some(expected.into())), "{path} {body}");
    }
    let url = format!("http://{}{items}", shop.addr());
    let huge = client(Duration::from_secs(20)).post(url).body(vec![b' '; 20_000]).send().await;
    assert_eq!(huge.expect("an answer").status().as_u16(), 413);
}

#[tokio::test]
async fn modes_come_and_go_on_the_same_port() {
    let shop = start("x").await;
    shop.set_mode(Mode::Errors);
    assert_eq!(get(&shop, "/health").await.map(|(code, _)| code), Some(500));
    shop.set_mode(Mode::Slow(Duration::from_millis(200)));
    let start = std::time::Instant::now();
    assert_eq!(get(&shop, "/health").await.map(|(code, _)| code), Some(200));
    assert!(start.elapsed() >= Duration::from_millis(200));
    shop.set_mode(Mode::Stopped);
    until("it refuses", || async { get(&shop, "/health").await.is_none().then_some(()) }).await;
    shop.set_mode(Mode::Hang);
    let url = format!("http://{}/health", shop.addr());
    until("it accepts and is silent", || async {
        let error = client(Duration::from_millis(200)).get(&url).send().await.err()?;
        (error.is_timeout() && !error.is_connect()).then_some(())
    })
    .await;
    assert_eq!(shop.stats().mode, "hang");
    shop.set_mode(Mode::Normal);
    until("it is well", || get(&shop, "/health")).await;
}

#[tokio::test]
async fn carts_travel_later_wait_for_an_unreachable_peer_and_arrive_in_the_end() {
    let (here, there) = (start("here").await, start("there").await);
    let slow = Shape::delayed(Duration::from_millis(20));
    let link = TcpLink::listen(there.addr(), slow, slow, 1).await.expect("a link");
    here.set_peers(vec![(region("there"), format!("http://{}", link.addr()))]);
    let id = cart(&here).await;
    let known = async || get(&there, &format!("/carts/{id}")).await.filter(|(code, _)| *code == 200);
    until("the cart arrives", &known).await;
    until("its arrival is confirmed", || async { (here.stats().backlog == 0).then_some(()) }).await;

    here.set_replication_delay(Duration::from_secs(3600));
    post(&here, &format!("/carts/{id}/items"), r#"{"sku":"rope","quantity":1}"#).await;
    assert_eq!(here.stats().backlog, 1);
    assert_eq!(known().await.expect("known").1["version"], 1, "the old version is served meanwhile");
    link.control().set_fault(Fault::Refuse);
    here.set_replication_delay(Duration::ZERO);
    until("the peer is tried in vain", || async {
        let stats = here.stats();
        (stats.peers[&region("there")].failures > 1 && stats.backlog == 1 && stats.oldest_ms > 0)
            .then_some(())
    })
    .await;
    link.control().heal();
    until("the write arrives", || async { (known().await?.1["version"] == 2).then_some(()) }).await;
    until("nothing waits", || async { (here.stats().backlog == 0).then_some(()) }).await;
    assert_eq!(here.stats().peers[&region("there")].sent, 2);
}
