//! How PostgreSQL is reached.

use super::{Error, db::Db};
use sqlx::{
    ConnectOptions, Connection, Executor, PgConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{io::ErrorKind, str::FromStr, time::Duration};
use tokio::time::timeout;

/// The oldest server that is supported.
const LEAST: u32 = 15;
/// Connections of one collector.
const CONNECTIONS: u32 = 12;
/// How long a caller waits for a connection. While a server is away nobody gets one, and whoever asks has his answer within
/// that time: people wait for a page, and probes keep what is refused. There are enough of them for all that is done at a
/// time, so that nobody waits for others that long.
const ACQUIRE: Duration = Duration::from_secs(2);
/// How long the first connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// For every session. A collector that is stopped by a signal inside a transaction, or whose link is cut, loses its
/// locks after 5 s and 10 s; it would hold them for hours otherwise.
const SESSION: &str = "
    SET statement_timeout = '15s';
    SET lock_timeout = '5s';
    SET idle_in_transaction_session_timeout = '5s';
    SET tcp_keepalives_idle = 5;
    SET tcp_keepalives_interval = 2;
    SET tcp_keepalives_count = 3;
    SET tcp_user_timeout = 10000;
    SET client_min_messages = 'warning'";

/// A migration may rewrite a table and waits for others to finish theirs.
const MIGRATION: &str = "
    SET statement_timeout = 0;
    SET lock_timeout = 0;
    SET idle_in_transaction_session_timeout = '60s'";

/// Why there is no connection, with advice that fits. The address is not repeated: it may hold a password.
pub(super) fn failed(source: sqlx::Error) -> Error {
    Error::Connect { advice: advice(&source), source }
}

/// What to do about it. Sources: <https://www.postgresql.org/docs/15/errcodes-appendix.html>, and what the driver reports
/// before the server has said anything.
fn advice(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::Database(error) => refused(error.code().as_deref().unwrap_or_default()),
        sqlx::Error::Tls(_) => {
            "there is no TLS connection as the address asks for one (sslmode): look whether the server offers TLS, and \
             whether its certificate is trusted (sslrootcert) and names the host"
        }
        sqlx::Error::PoolTimedOut => SILENT,
        sqlx::Error::Io(error) => match error.kind() {
            ErrorKind::TimedOut => SILENT,
            ErrorKind::ConnectionRefused => {
                "nobody listens there: check the host and the port, and that the server runs and listens on that address"
            }
            ErrorKind::NotFound => {
                "there is no such socket or file: check the path, and that the server runs on this machine"
            }
            ErrorKind::PermissionDenied => {
                "this user may not use the server's socket, or a file that the address names"
            }
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::UnexpectedEof => {
                "whoever listens there hung up: check that it is a PostgreSQL server, and look into its log"
            }
            _ => "the server cannot be reached: check the host's name, the port and the network",
        },
        sqlx::Error::Protocol(_) => {
            "whoever answers there does not speak as PostgreSQL does: check the host and the port"
        }
        _ => "check the address, and the files that it names",
    }
}

/// Nobody has answered in time.
const SILENT: &str = "nobody answered in time: check the host and the port, and the firewalls on the way";

/// What to do about an answer of the server, by its SQLSTATE.
fn refused(code: &str) -> &'static str {
    match code {
        "3D000" => {
            "the server has no such database: make it (createdb), or correct its name, the end of the address"
        }
        "28000" => {
            "the server does not let this user in: check the user's name in the address, that the server has it \
             (createuser), and the server's pg_hba.conf, which may also ask for TLS"
        }
        "28P01" => {
            "the server does not take this password: check the user's name and the password in the address"
        }
        "42501" => "the user may not use this database: grant it the right to connect, and the schema",
        "53300" => "the server has no connection left: raise its max_connections, or stop what holds them",
        "57P03" => "the server is starting or stopping: try again",
        _ => "the server answered with an error; it follows",
    }
}

fn options(url: &str) -> Result<PgConnectOptions, Error> {
    let name = format!("sextant {} pid {}", env!("CARGO_PKG_VERSION"), std::process::id());
    Ok(read_url(url)?.application_name(&name))
}

/// Reads the URL of a database.
///
/// # Errors
/// When it is none of PostgreSQL. Nothing of it is repeated but its scheme: it may hold a password.
pub fn read_url(url: &str) -> Result<PgConnectOptions, Error> {
    let wrong = |why: String| Err(Error::Address { why });
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    let is_word = |word: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        (1..=20).contains(&word.len()) && word.chars().all(plain)
    };
    match scheme {
        _ if url.trim().is_empty() => wrong("its address is empty".into()),
        Some("postgres" | "postgresql") => match PgConnectOptions::from_str(url) {
            Ok(options) => Ok(options),
            Err(sqlx::Error::Configuration(error)) => wrong(format!("its address cannot be read: {error}")),
            Err(error) => Err(failed(error)),
        },
        Some(other) if is_word(other) => {
            wrong(format!("its address begins with {other}://, and Sextant does not speak that"))
        }
        _ if url.starts_with("postgres:") || url.starts_with("postgresql:") => {
            wrong("its address has no // after postgres:".into())
        }
        _ => wrong("its address is no URL".into()),
    }
}

/// Opens a pool of connections, which opens new ones by itself when old ones break.
pub async fn open(url: &str) -> Result<Db, Error> {
    let options = options(url)?;
    // By hand once, so that the message is the server's and not the pool's.
    let connect = timeout(CONNECT, options.connect());
    let mut first = connect.await.map_err(|_| failed(sqlx::Error::PoolTimedOut))?.map_err(failed)?;
    supported(&mut first).await?;
    // Its own end is of no interest.
    let _ = first.close().await;
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE)
        .after_connect(|connection, _| Box::pin(async move { connection.execute(SESSION).await.map(drop) }))
        .connect_with(options)
        .await
        .map_err(failed)?;
    Ok(Db::Postgres(pool))
}

/// A connection of its own for migrations, without the time limits of the pool.
pub async fn for_migrations(url: &str) -> Result<PgConnection, Error> {
    let mut connection = options(url)?.connect().await.map_err(failed)?;
    connection.execute(SESSION).await.map_err(failed)?;
    connection.execute(MIGRATION).await.map_err(failed)?;
    Ok(connection)
}

async fn supported(connection: &mut PgConnection) -> Result<(), Error> {
    let (number, found): (String, String) =
        sqlx::query_as("SELECT current_setting('server_version_num'), current_setting('server_version')")
            .fetch_one(connection)
            .await
            .map_err(failed)?;
    check_version(&number, found)
}

/// Reads `server_version_num`: the major version times 10000 and the minor one.
fn check_version(number: &str, found: String) -> Result<(), Error> {
    let major = number.parse::<u32>().unwrap_or_default() / 10_000;
    if major < LEAST { Err(Error::OldServer { found, least: LEAST }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_none_is_explained_without_its_secrets() {
        for (url, why) in [
            ("", "is empty"),
            ("  ", "is empty"),
            ("mysql://sextant:hunter2@db/x", "begins with mysql://"),
            ("sqlite://hunter2.db", "begins with sqlite://"),
            ("Postgres:hunter2@db://x", "is no URL"),
            ("hunter2", "is no URL"),
            ("/var/lib/hunter2", "is no URL"),
            ("postgres:/hunter2", "has no // after postgres:"),
            ("postgres://sextant:hunter2@db:port/x", "cannot be read: invalid port number"),
            ("postgres://sextant:hunter2@db/x?sslmode=hunter3", "cannot be read"),
            ("postgres://sextant:hunter2@/x:y@z", "cannot be read"),
        ] {
            let error = read_url(url).expect_err(url);
            let text = error.to_string();
            assert!(text.contains(why), "{url}: {text}");
            assert!(
                text.contains("postgres://sextant@db.example.com/sextant") && text.contains("--data"),
                "{text}"
            );
            assert!(!format!("{error:?} {text}").contains("hunter2"), "{error:?}");
        }
        for url in ["postgres://", "postgresql://u:p@h:1/d?sslmode=require", "postgres:///d?host=/run/pg"] {
            assert!(read_url(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn advice_fits_the_cause() {
        let io = |kind: ErrorKind| failed(sqlx::Error::Io(kind.into())).to_string();
        for (said, wanted) in [
            (io(ErrorKind::ConnectionRefused), "nobody listens there"),
            (io(ErrorKind::TimedOut), "nobody answered in time"),
            (io(ErrorKind::NotFound), "no such socket"),
            (io(ErrorKind::Other), "host's name"),
            (failed(sqlx::Error::PoolTimedOut).to_string(), "nobody answered in time"),
            (failed(sqlx::Error::Tls("no TLS".into())).to_string(), "sslmode"),
        ] {
            assert!(said.starts_with("cannot open the database at the PostgreSQL address: "), "{said}");
            assert!(said.contains(wanted) && !said.contains("folder"), "{said}");
        }
        for (code, wanted) in [("3D000", "createdb"), ("28000", "createuser"), ("28P01", "password")] {
            assert!(refused(code).contains(wanted), "{code}");
        }
    }

    #[tokio::test]
    async fn a_server_says_what_is_missing() {
        let server = test_postgres::Cluster::start();
        let url = url::Url::parse(&server.url_by(server.address())).expect("a URL");
        let said = async |change: &dyn Fn(&mut url::Url)| {
            let mut url = url.clone();
            change(&mut url);
            open(url.as_str()).await.expect_err("refused").to_string()
        };
        let nowhere = said(&|url| url.set_path("/nowhere")).await;
        assert!(nowhere.contains("no such database"), "{nowhere}");
        let nobody = said(&|url| url.set_username("nobody-such").expect("a user")).await;
        assert!(nobody.contains("does not let this user in") || nobody.contains("password"), "{nobody}");
        let tls = said(&|url| url.set_query(Some("sslmode=require"))).await;
        assert!(tls.contains("TLS"), "{tls}");
    }

    #[test]
    fn old_servers_are_refused_with_both_versions_named() {
        let error = check_version("140012", "14.12 (Debian)".into()).expect_err("too old").to_string();
        assert!(error.contains("14.12 (Debian)") && error.contains("15"), "{error}");
        assert!(check_version("150000", "15.0".into()).is_ok());
        assert!(check_version("180001", "18.1".into()).is_ok());
    }
}
