//! The whole world: every way to break a region does what it says and heals, and steering saves the users.

use crate::common::{SECRET, client, echo, plan, seconds, steer, until};
use lab::world::{How, World, WorldConfig, WorldError};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const EU: &str = "eu-west-1";

async fn world(users_per_second: f64) -> World {
    World::start(WorldConfig { users_per_second, ..WorldConfig::new(7, SECRET) }).await.expect("a world")
}

/// What a vantage sees of the host, within 1.2 s.
async fn probe(world: &World, site: &str, host: &str) -> Result<u16, reqwest::Error> {
    let known = world.resolve_for(site).await.expect("a site");
    let (_, addr) = known.iter().find(|(name, _)| name == host).expect("a host");
    let url = format!("http://{addr}/products");
    client(Duration::from_millis(1200)).get(url).send().await.map(|answer| answer.status().as_u16())
}

const EU_HOST: &str = "shop.eu-west-1.demo.test:80";

async fn ping(addr: SocketAddr) -> bool {
    let echo = async {
        let mut stream = TcpStream::connect(addr).await.ok()?;
        stream.write_all(&[1]).await.ok()?;
        stream.read_u8().await.ok()
    };
    matches!(timeout(Duration::from_secs(1), echo).await, Ok(Some(1)))
}

async fn well(world: &World) {
    for site in [EU, "us-west-2"] {
        until("the region is well", || async {
            (probe(world, site, EU_HOST).await.ok()? == 200).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn refuse_errors_and_slow_are_seen_and_heal() {
    let world = world(0.0).await;
    well(&world).await;
    world.break_region(EU, How::Refuse, None).expect("broken");
    for site in [EU, "us-west-2"] {
        until("connections are refused", || async {
            probe(&world, site, EU_HOST).await.err().filter(reqwest::Error::is_connect)
        })
        .await;
    }
    world.break_region(EU, How::Errors, None).expect("broken otherwise");
    until("errors are seen", || async { (probe(&world, EU, EU_HOST).await.ok()? == 500).then_some(()) })
        .await;
    world.break_region(EU, How::Slow, None).expect("broken otherwise");
    let seen = probe(&world, EU, EU_HOST).await.expect_err("slower than the probe's patience");
    assert!(seen.is_timeout());
    let status = serde_json::to_value(world.status()).expect("JSON");
    assert_eq!(status["regions"][EU]["fault"]["how"], "slow");
    assert_eq!(status["regions"][EU]["shop"]["mode"], "slow 1500ms");
    world.heal_region(EU).expect("healed");
    well(&world).await;
    assert!(world.status().regions.values().all(|region| region.fault.is_none()));
}

#[tokio::test]
async fn a_black_hole_takes_the_shop_and_a_partition_the_region() {
    let world = world(0.0).await;
    let uplink = world.link_to_edge(EU, echo().await).await.expect("a link");
    let silent = async |site| probe(&world, site, EU_HOST).await.is_err_and(|error| error.is_timeout());
    world.break_region(EU, How::Blackhole, None).expect("broken");
    assert!(silent(EU).await && silent("us-west-2").await);
    until("the vantage reaches the collector as ever", || async { ping(uplink).await.then_some(()) }).await;
    world.break_region(EU, How::Partition, None).expect("broken otherwise");
    assert!(silent("us-west-2").await && !ping(uplink).await);
    until("the region's inside works", || async { probe(&world, EU, EU_HOST).await.ok() }).await;
    world.heal();
    well(&world).await;
    until("the uplink works", || async { ping(uplink).await.then_some(()) }).await;
}

#[tokio::test]
async fn lag_holds_copies_back_until_it_is_healed() {
    let world = world(0.0).await;
    world.break_region(EU, How::Lag, None).expect("broken");
    let shop = world.shop(EU).expect("a shop");
    client(Duration::from_secs(20))
        .post(format!("http://{}/carts", shop.addr()))
        .send()
        .await
        .expect("a cart");
    assert_eq!(world.status().replication_backlog, 2);
    world.heal_region(EU).expect("healed");
    until("the copies arrived", || async {
        let carts = |region| world.shop(region).map(|shop| shop.stats().carts);
        (carts("us-east-1") == Some(1) && carts("ap-northeast-1") == Some(1)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_fault_with_a_duration_heals_by_itself_and_mistakes_are_explained() {
    let world = world(0.0).await;
    world.break_region("sa-east-1", How::Partition, None).expect("any region can be cut off");
    world.break_region(EU, How::Errors, Some(Duration::from_secs(3600))).expect("broken");
    world.break_region(EU, How::Errors, Some(Duration::from_millis(50))).expect("broken again");
    until("it is over", || async { world.status().regions[&EU.parse().ok()?].fault.is_none().then_some(()) })
        .await;
    well(&world).await;
    let error = world.break_region("sa-east-1", How::Refuse, None).expect_err("there is no shop");
    assert!(error.to_string().contains("eu-west-1"), "{error}");
    assert!(matches!(world.heal_region("mars"), Err(WorldError::UnknownRegion { .. })));
    let config = WorldConfig { shop_regions: vec!["mars".into()], ..WorldConfig::new(1, SECRET) };
    assert!(matches!(World::start(config).await.err(), Some(WorldError::UnknownRegion { .. })));
}

#[tokio::test]
async fn users_suffer_until_the_entrance_is_told() {
    let world = world(100.0).await;
    until("all regions serve", || async { (world.users().stats().regions.len() == 3).then_some(()) }).await;
    assert_eq!(world.users().stats().failed, 0);
    assert_eq!(probe(&world, "us-west-2", "shop.demo.test:80").await.ok(), Some(200));
    world.break_region(EU, How::Errors, None).expect("broken");
    until("users fail", || async { (world.users().stats().failed > 5).then_some(()) }).await;
    let away = plan("shop", 1, 1, &[("us-east-1", 100), (EU, 0), ("ap-northeast-1", 100)]);
    assert_eq!(steer(world.entrance().addr(), &away, SECRET, seconds()).await.0, 200);
    let served = async |more| {
        let before = world.users().stats().total;
        until("users were served", || async { (world.users().stats().total >= before + more).then_some(()) })
            .await;
        world.users().stats().failed
    };
    // Requests that were under way may still fail; after them none.
    let mut failed = served(50).await;
    for _ in 0..20 {
        let later = served(50).await;
        if later == failed {
            break;
        }
        failed = later;
    }
    assert_eq!(served(50).await, failed);
    let addr = world.entrance().addr();
    world.shutdown().await;
    assert!(TcpStream::connect(addr).await.is_err());
}
