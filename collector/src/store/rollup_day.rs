//! Roll-ups packed by day and check: the table `rollup_day`, which says what the rows of `rollup` say.
//!
//! Whoever writes the rows writes this too, in the same transaction, made from what both held before. A day that is not
//! here yet, or damaged, is made again from its rows when something is added to it.

use super::{
    DayOfCheck, Error, Rollups, Store,
    db::on,
    rollup::{COLUMNS, Row},
};
use series::bundle;
use sqlx::{FromRow, QueryBuilder};
use std::collections::BTreeMap;

/// Days that one statement reads or writes.
pub(super) const DAYS: usize = 20;

/// All roll-ups of a check and a day, as [`series::bundle`] packs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedDay {
    pub of: DayOfCheck,
    /// The whole day of each series.
    pub whole: Vec<u8>,
    /// The hours of each series.
    pub hours: Vec<u8>,
}

#[derive(FromRow)]
struct Stored {
    check_id: String,
    day: i64,
    whole: Vec<u8>,
    hours: Vec<u8>,
}

impl PackedDay {
    /// Packs all roll-ups of a day of a check; hours of other days are left out.
    pub fn new(of: DayOfCheck, rollups: &Rollups) -> PackedDay {
        let (hours, whole) = slots(of.day, rollups);
        PackedDay { of, whole: bundle::encode(&whole), hours: bundle::encode(&hours) }
    }

    /// Adds new roll-ups of the day, and says what became of them.
    ///
    /// # Errors
    /// When what was packed is damaged.
    pub fn add(&mut self, new: &Rollups) -> Result<Rollups, series::Corrupt> {
        let (hours, whole) = slots(self.of.day, new);
        let first = self.of.day * 24;
        (self.whole, _) = bundle::merge(&self.whole, &whole)?;
        let touched;
        (self.hours, touched) = bundle::merge(&self.hours, &hours)?;
        Ok(touched
            .into_iter()
            .map(|((series, slot), rollup)| ((series, first + i64::from(slot)), rollup))
            .collect())
    }

    /// Whether all of it can be read.
    fn is_sound(&self) -> bool {
        let sound = |bytes| {
            bundle::decode(bytes).and_then(|mut all| all.try_for_each(|entry| entry?.rollup().map(drop)))
        };
        let read = sound(&self.whole).and_then(|()| sound(&self.hours));
        if let Err(error) = &read {
            let DayOfCheck { day, check } = &self.of;
            tracing::error!(day, check, %error, "packed roll-ups are damaged: they are made again from the others");
        }
        read.is_ok()
    }
}

/// Hours by their slots, and the days that they make.
fn slots(day: i64, rollups: &Rollups) -> (bundle::Rollups, bundle::Rollups) {
    let (mut hours, mut whole) = (bundle::Rollups::new(), bundle::Rollups::new());
    for ((series, hour), rollup) in rollups {
        let slot = u8::try_from(hour - day * 24).ok().filter(|slot| *slot < bundle::SLOTS);
        if let Some(slot) = slot {
            hours.insert((*series, slot), rollup.clone());
            whole.entry((*series, 0)).or_default().merge(rollup);
        }
    }
    (hours, whole)
}

/// Writes packed days inside a transaction, over those that are there.
macro_rules! put_days {
    ($tx:expr, $days:expr) => {{
        let days: &[crate::store::PackedDay] = $days;
        for some in days.chunks(crate::store::rollup_day::DAYS) {
            let mut query = sqlx::QueryBuilder::new("INSERT INTO rollup_day (check_id, day, whole, hours) ");
            query.push_values(some, |mut row, packed| {
                row.push_bind(packed.of.check.as_str())
                    .push_bind(packed.of.day)
                    .push_bind(packed.whole.as_slice())
                    .push_bind(packed.hours.as_slice());
            });
            query.push(
                " ON CONFLICT (check_id, day) DO UPDATE SET whole = excluded.whole, hours = excluded.hours",
            );
            query.build().persistent(false).execute(&mut *$tx).await?;
        }
    }};
}

pub(super) use put_days;

impl Store {
    /// What is packed of some days, made from the roll-ups where it is not there; days without any are absent.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn packed_days(
        &self,
        wanted: impl IntoIterator<Item = &DayOfCheck>,
    ) -> Result<BTreeMap<DayOfCheck, PackedDay>, Error> {
        let wanted: Vec<&DayOfCheck> = wanted.into_iter().collect();
        let mut found = BTreeMap::new();
        for some in wanted.chunks(DAYS) {
            let rows: Vec<Stored> = on!(self, pool => {
                let mut query = QueryBuilder::new(
                    "SELECT check_id, day, whole, hours FROM rollup_day WHERE (check_id, day) IN (VALUES ",
                );
                let mut list = query.separated(", ");
                for of in some {
                    list.push("(").push_bind_unseparated(of.check.as_str());
                    list.push_unseparated(", ").push_bind_unseparated(of.day).push_unseparated(")");
                }
                query.push(")").build_query_as().persistent(false).fetch_all(pool).await?
            });
            for Stored { check_id: check, day, whole, hours } in rows {
                let packed = PackedDay { of: DayOfCheck { day, check }, whole, hours };
                if packed.is_sound() {
                    found.insert(packed.of.clone(), packed);
                }
            }
        }
        for of in wanted {
            if !found.contains_key(of) {
                let rollups = self.rollups_of(of).await?;
                if !rollups.is_empty() {
                    found.insert(of.clone(), PackedDay::new(of.clone(), &rollups));
                }
            }
        }
        Ok(found)
    }

    /// All roll-ups of a day of a check, from their rows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rollups_of(&self, of: &DayOfCheck) -> Result<Rollups, Error> {
        let rows: Vec<Row> = on!(self, pool => {
            let mut query = QueryBuilder::new("SELECT ");
            query.push(COLUMNS).push(" FROM rollup WHERE series IN (SELECT id FROM series WHERE check_id = ");
            query.push_bind(of.check.as_str()).push(") AND hour >= ").push_bind(of.day * 24);
            query.push(" AND hour < ").push_bind((of.day + 1) * 24);
            query.build_query_as().persistent(false).fetch_all(pool).await?
        });
        Ok(rows.into_iter().map(Row::keyed).collect())
    }
}

#[cfg(test)]
impl Store {
    /// Forgets what is packed of a check, as if it had been sealed by a program that did not pack.
    pub async fn unpack(&self, check: &str) -> Result<(), Error> {
        crate::store::db::write!(self, tx => {
            sqlx::query("DELETE FROM rollup_day WHERE check_id = $1").bind(check).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Writes over what is packed of a check, and over the quantiles of all rows when told to.
    pub async fn damage_packed(&self, check: &str, rows_too: bool) -> Result<(), Error> {
        crate::store::db::write!(self, tx => {
            sqlx::query("UPDATE rollup_day SET whole = $1, hours = $1 WHERE check_id = $2")
                .bind(&b"damaged"[..]).bind(check).execute(&mut *tx).await?;
            if rows_too {
                sqlx::query("UPDATE rollup SET sketch = $1").bind(&b"damaged"[..]).execute(&mut *tx).await?;
            }
        });
        Ok(())
    }

    /// Fails where what is packed is not what the rows say; says how many days are packed.
    pub async fn compare_packed(&self) -> Result<usize, Error> {
        let rows: Vec<Stored> = on!(self, pool => {
            sqlx::query_as("SELECT check_id, day, whole, hours FROM rollup_day").fetch_all(pool).await?
        });
        let packed = rows.len();
        for Stored { check_id: check, day, whole, hours } in rows {
            let of = DayOfCheck { day, check };
            let rollups = self.rollups_of(&of).await?;
            assert!(!rollups.is_empty(), "nothing is packed of a day without roll-ups: {of:?}");
            assert_eq!(PackedDay { of: of.clone(), whole, hours }, PackedDay::new(of, &rollups));
        }
        Ok(packed)
    }
}
