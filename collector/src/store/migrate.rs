//! Brings a database up to date, and refuses one that this program must not touch.
//!
//! One text serves both engines. A line that begins with `-- postgres: ` or `-- sqlite: ` is a comment on the other
//! engine; on its own the prefix is taken off. Each migration runs in one transaction on either engine, so that one that
//! was interrupted left nothing and is simply run again. On PostgreSQL an advisory lock lets one process migrate at a time.
//!
//! The table `schema_info` says for each migration the least schema version of a program that may still run on the result:
//! a migration that only expands names an old one, so that the next version migrates while this one runs.

use super::Error;
use runtime::clock::{Clock, SystemClock};
use sqlx::{
    AssertSqlSafe, PgConnection, SqlSafeStr, SqliteConnection,
    migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator},
};
use std::{borrow::Cow, collections::HashMap};

/// What the database says of itself: the migrations that were applied, and for each the least program that may run on the
/// result. Empty for a new database, or one from before these tables.
macro_rules! recorded {
    ($connection:expr, $exists:literal) => {{
        let mut recorded = Recorded::default();
        let applied: Option<(i32,)> =
            sqlx::query_as($exists).bind("_sqlx_migrations").fetch_optional(&mut *$connection).await?;
        if applied.is_some() {
            recorded.applied =
                sqlx::query_as("SELECT version, success FROM _sqlx_migrations ORDER BY version")
                    .fetch_all(&mut *$connection)
                    .await?;
        }
        let info: Option<(i32,)> =
            sqlx::query_as($exists).bind("schema_info").fetch_optional(&mut *$connection).await?;
        if info.is_some() {
            let rows: Vec<(i64, i64)> = sqlx::query_as("SELECT version, least_program FROM schema_info")
                .fetch_all(&mut *$connection)
                .await?;
            recorded.least_program = rows.into_iter().collect();
        }
        recorded
    }};
}

/// Writes down when migrations were applied: their portable text knows no clock.
macro_rules! stamp {
    ($connection:expr) => {
        sqlx::query("UPDATE schema_info SET applied = $1 WHERE applied = 0")
            .bind(SystemClock.now().0)
            .execute(&mut *$connection)
            .await?
    };
}

/// The migration that makes `schema_info`.
const STAMPED: i64 = 5;

static OURS: Migrator = sqlx::migrate!("../migrations");

/// A migration that is not part of this program.
#[derive(Debug, Clone)]
pub struct ExtraMigration {
    /// Above those of this program; see [`newest`].
    pub version: i64,
    pub description: String,
    pub sql: String,
}

/// The schema version of this program.
pub fn newest() -> i64 {
    OURS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Whether this program has such a migration.
pub fn exists(version: i64) -> bool {
    OURS.version_exists(version)
}

/// Migrates a new SQLite database up to a version, so that a backup of that version fits.
///
/// # Errors
/// When it fails, or the database must not be touched.
pub async fn sqlite_to(connection: &mut SqliteConnection, version: i64) -> Result<(), Error> {
    let all = migrations("-- sqlite: ", &[]);
    acceptable(recorded!(connection, "SELECT 1 FROM sqlite_master WHERE name = $1"), &all)?;
    run(connection, &up_to(all, version)).await?;
    if version >= STAMPED {
        stamp!(connection);
    }
    Ok(())
}

/// As [`sqlite_to`], for PostgreSQL.
///
/// # Errors
/// When it fails, or the database must not be touched.
pub async fn postgres_to(connection: &mut PgConnection, version: i64) -> Result<(), Error> {
    let all = migrations("-- postgres: ", &[]);
    acceptable(recorded!(connection, "SELECT 1 WHERE to_regclass($1) IS NOT NULL"), &all)?;
    run(connection, &up_to(all, version)).await?;
    if version >= STAMPED {
        stamp!(connection);
    }
    Ok(())
}

fn up_to(mut all: Vec<Migration>, version: i64) -> Vec<Migration> {
    all.retain(|migration| migration.version <= version);
    all
}

/// Migrates SQLite.
///
/// # Errors
/// When it fails, or the database must not be touched.
pub async fn sqlite(connection: &mut SqliteConnection, extra: &[ExtraMigration]) -> Result<(), Error> {
    let all = migrations("-- sqlite: ", extra);
    acceptable(recorded!(connection, "SELECT 1 FROM sqlite_master WHERE name = $1"), &all)?;
    run(connection, &all).await?;
    stamp!(connection);
    Ok(())
}

/// Migrates PostgreSQL, one process at a time.
///
/// # Errors
/// When it fails, or the database must not be touched.
pub async fn postgres(connection: &mut PgConnection, extra: &[ExtraMigration]) -> Result<(), Error> {
    let all = migrations("-- postgres: ", extra);
    acceptable(recorded!(connection, "SELECT 1 WHERE to_regclass($1) IS NOT NULL"), &all)?;
    run(connection, &all).await?;
    stamp!(connection);
    Ok(())
}

/// What a database says of itself.
#[derive(Debug, Default)]
struct Recorded {
    /// Versions, and whether each was applied to its end.
    applied: Vec<(i64, bool)>,
    least_program: HashMap<i64, i64>,
}

/// Whether a program with these migrations may run on this database.
fn acceptable(recorded: Recorded, all: &[Migration]) -> Result<(), Error> {
    if let Some((version, _)) = recorded.applied.iter().find(|(_, success)| !success) {
        return Err(Error::HalfMigrated { version: *version });
    }
    let known = all.iter().map(|migration| migration.version).max().unwrap_or(0);
    let refused = recorded.applied.iter().map(|(version, _)| *version).filter(|version| {
        *version > known && recorded.least_program.get(version).is_none_or(|least| *least > known)
    });
    match refused.max() {
        Some(found) => Err(Error::NewerSchema { found, known }),
        None => Ok(()),
    }
}

/// All migrations with the text for one engine. The checksum stays that of the portable text.
fn migrations(prefix: &str, extra: &[ExtraMigration]) -> Vec<Migration> {
    let ours = OURS.iter().map(|migration| Migration {
        sql: AssertSqlSafe(activate(migration.sql.as_str(), prefix)).into_sql_str(),
        ..migration.clone()
    });
    let extra = extra.iter().map(|migration| {
        let text = activate(&migration.sql, prefix);
        let description = Cow::Owned(migration.description.clone());
        let sql = AssertSqlSafe(text).into_sql_str();
        Migration::new(migration.version, description, MigrationType::Simple, sql, false)
    });
    ours.chain(extra).collect()
}

/// Takes the prefix of one engine off the lines that begin with it.
fn activate(text: &str, prefix: &str) -> String {
    let mut active: String =
        text.lines().map(|line| line.strip_prefix(prefix).unwrap_or(line)).collect::<Vec<_>>().join("\n");
    active.push('\n');
    active
}

async fn run<C: Migrate>(connection: &mut C, all: &[Migration]) -> Result<(), Error> {
    let mut migrator = Migrator::with_migrations(all.to_vec());
    // Versions that are missing here were found acceptable before.
    migrator.set_ignore_missing(true);
    migrator.run_direct(None, connection, false).await.map_err(|error| match error {
        MigrateError::Dirty(version) => Error::HalfMigrated { version },
        MigrateError::VersionMismatch(version) => Error::OtherMigration { version },
        error => Error::Migrate(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_for_one_engine_are_active_there_only() {
        let text = "CREATE TABLE a (b BIGINT)\n-- postgres: PARTITION BY RANGE (b)\n-- sqlite: STRICT\n; -- sqlite: no\n";
        assert_eq!(
            activate(text, "-- postgres: "),
            "CREATE TABLE a (b BIGINT)\nPARTITION BY RANGE (b)\n-- sqlite: STRICT\n; -- sqlite: no\n"
        );
        assert_eq!(
            activate(text, "-- sqlite: "),
            "CREATE TABLE a (b BIGINT)\n-- postgres: PARTITION BY RANGE (b)\nSTRICT\n; -- sqlite: no\n"
        );
    }

    #[test]
    fn a_newer_schema_is_accepted_only_when_every_step_of_it_allows_this_program() {
        let all = migrations("-- sqlite: ", &[]);
        let known = newest();
        let verdict = |steps: &[(i64, Option<i64>)]| {
            let applied = (1..=known).chain(steps.iter().map(|(version, _)| *version));
            let least = steps.iter().filter_map(|(version, least)| Some((*version, (*least)?)));
            let recorded = Recorded {
                applied: applied.map(|version| (version, true)).collect(),
                least_program: least.collect(),
            };
            acceptable(recorded, &all)
        };
        assert!(verdict(&[]).is_ok());
        assert!(verdict(&[(known + 1, Some(known))]).is_ok());
        assert!(verdict(&[(known + 1, Some(known - 1)), (known + 2, Some(known))]).is_ok());
        for steps in [
            &[(known + 1, None)][..],
            &[(known + 1, Some(known + 1))],
            &[(known + 1, Some(known)), (known + 2, Some(known + 1))],
        ] {
            let error = verdict(steps).expect_err("too new");
            assert!(matches!(error, Error::NewerSchema { .. }), "{error}");
            assert!(error.to_string().contains(&format!("up to {known}")), "{error}");
        }
    }

    #[test]
    fn the_migrations_of_this_program_tell_who_may_run_on_them() {
        for migration in OURS.iter().filter(|migration| migration.version > 5) {
            let row = format!(
                "INSERT INTO schema_info (version, least_program, applied) VALUES ({},",
                migration.version
            );
            assert!(
                migration.sql.as_str().contains(&row),
                "migration {} must end with {row} LEAST, 0);",
                migration.version
            );
        }
    }
}
