//! Products and carts: what a shop knows. The copy with the higher version wins, wherever it was written.

use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use wire::RegionId;

/// Carts kept; the oldest is forgotten for a new one.
const MAX_CARTS: usize = 10_000;
/// The most of one product in a cart.
pub(super) const MAX_QUANTITY: u32 = 99;
/// The longest cart id taken from a peer.
const MAX_ID: usize = 64;
pub(super) const CURRENCY: &str = "EUR";

/// Something to buy.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Product {
    pub sku: &'static str,
    pub name: &'static str,
    pub price_cents: u32,
    pub currency: &'static str,
}

const fn product(sku: &'static str, name: &'static str, price_cents: u32) -> Product {
    Product { sku, name, price_cents, currency: CURRENCY }
}

/// The range of the shop.
pub(super) const PRODUCTS: [Product; 6] = [
    product("compass", "Pocket compass", 2490),
    product("chart", "Coastal chart, folded", 1850),
    product("log-line", "Log line with 28-second glass", 3900),
    product("lantern", "Storm lantern", 4575),
    product("rope", "Hemp rope, 20 m", 1520),
    product("biscuit", "Ship's biscuit, 500 g", 640),
];

/// Finds a product.
pub(super) fn find(sku: &str) -> Option<&'static Product> {
    PRODUCTS.iter().find(|product| product.sku == sku)
}

/// How often a cart was written, then where last: two regions never write the same version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Version {
    pub count: u64,
    pub region: RegionId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    pub sku: String,
    pub quantity: u32,
}

/// A cart as it is kept and copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cart {
    pub cart: String,
    pub version: Version,
    pub items: Vec<Line>,
}

impl Cart {
    pub fn new(id: String, region: RegionId) -> Cart {
        Cart { cart: id, version: Version { count: 1, region }, items: Vec::new() }
    }

    /// Whether a copy from a peer is one that a shop could have made.
    fn is_sound(&self) -> bool {
        let known = |line: &Line| find(&line.sku).is_some() && (1..=MAX_QUANTITY).contains(&line.quantity);
        (1..=MAX_ID).contains(&self.cart.len())
            && self.cart.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && self.items.len() <= PRODUCTS.len()
            && self.items.iter().all(known)
    }
}

/// A line of a cart as users see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineView {
    pub sku: String,
    pub quantity: u32,
    pub price_cents: u32,
}

/// A cart as users see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CartView {
    /// Its id.
    pub cart: String,
    /// The region that answered.
    pub region: RegionId,
    /// How often it was written.
    pub version: u64,
    /// The region that wrote it last.
    pub written_in: RegionId,
    pub items: Vec<LineView>,
    pub total_cents: u64,
    pub currency: String,
}

impl CartView {
    pub(super) fn new(cart: &Cart, region: &RegionId) -> CartView {
        let items: Vec<_> = cart
            .items
            .iter()
            .filter_map(|line| find(&line.sku).map(|product| (line, product.price_cents)))
            .map(|(line, price_cents)| LineView {
                sku: line.sku.clone(),
                quantity: line.quantity,
                price_cents,
            })
            .collect();
        CartView {
            cart: cart.cart.clone(),
            region: region.clone(),
            version: cart.version.count,
            written_in: cart.version.region.clone(),
            total_cents: items.iter().map(|i| u64::from(i.price_cents) * u64::from(i.quantity)).sum(),
            items,
            currency: CURRENCY.into(),
        }
    }
}

/// Why an item was not added.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum AddError {
    NoCart,
    TooMany,
}

/// The carts of a shop.
#[derive(Debug, Default)]
pub(super) struct Store {
    carts: HashMap<String, Cart>,
    /// Ids by age, oldest first.
    order: VecDeque<String>,
}

impl Store {
    pub fn len(&self) -> usize {
        self.carts.len()
    }

    pub fn get(&self, id: &str) -> Option<&Cart> {
        self.carts.get(id)
    }

    /// Keeps a cart, if it is sound and newer than what is known; tells whether it was kept.
    pub fn merge(&mut self, cart: Cart) -> bool {
        if !cart.is_sound() || self.carts.get(&cart.cart).is_some_and(|known| known.version >= cart.version) {
            return false;
        }
        if !self.carts.contains_key(&cart.cart) {
            self.order.push_back(cart.cart.clone());
        }
        self.carts.insert(cart.cart.clone(), cart);
        while self.carts.len() > MAX_CARTS {
            let Some(oldest) = self.order.pop_front() else { break };
            self.carts.remove(&oldest);
        }
        true
    }

    /// Adds to a line of a cart and returns the cart.
    pub fn add(&mut self, id: &str, line: Line, region: &RegionId) -> Result<Cart, AddError> {
        let cart = self.carts.get_mut(id).ok_or(AddError::NoCart)?;
        match cart.items.iter_mut().find(|known| known.sku == line.sku) {
            Some(known) => {
                let sum = known.quantity.saturating_add(line.quantity);
                known.quantity = if sum <= MAX_QUANTITY { sum } else { return Err(AddError::TooMany) };
            }
            None => cart.items.push(line),
        }
        cart.version = Version { count: cart.version.count.saturating_add(1), region: region.clone() };
        Ok(cart.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(name: &str) -> RegionId {
        name.parse().expect("a slug")
    }

    fn line(quantity: u32) -> Line {
        Line { sku: "rope".into(), quantity }
    }

    #[test]
    fn the_last_writer_wins_in_any_order_of_arrival() {
        let older = Cart::new("a".into(), region("x"));
        let mut newer = older.clone();
        newer.version = Version { count: 1, region: region("y") };
        newer.items.push(line(2));
        for pair in [[&older, &newer], [&newer, &older]] {
            let mut store = Store::default();
            for cart in pair {
                store.merge(cart.clone());
            }
            assert_eq!(store.get("a"), Some(&newer));
        }
    }

    #[test]
    fn carts_and_quantities_are_bounded() {
        let mut store = Store::default();
        for n in 0..MAX_CARTS + 3 {
            assert!(store.merge(Cart::new(format!("c{n}"), region("x"))));
        }
        assert_eq!(store.len(), MAX_CARTS);
        assert!(store.get("c2").is_none() && store.get("c3").is_some());
        assert!(store.add("c3", line(90), &region("x")).is_ok());
        assert_eq!(store.add("c3", line(10), &region("x")), Err(AddError::TooMany));
        assert_eq!(store.add("nope", line(1), &region("x")), Err(AddError::NoCart));
    }

    #[test]
    fn unsound_copies_are_ignored() {
        let mut store = Store::default();
        let good = Cart::new("a".into(), region("x"));
        assert!(!store.merge(Cart { cart: "../a".into(), ..good.clone() }));
        assert!(!store.merge(Cart { items: vec![line(0)], ..good.clone() }));
        assert!(!store.merge(Cart { items: vec![line(1); 7], ..good }));
        assert_eq!(store.len(), 0);
    }
}
