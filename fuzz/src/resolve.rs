//! Addresses that people write: `--resolve host:port=address:port`, endpoints, name servers.

use probe::{
    fuzzing::check,
    net::{Override, denied},
};
use wire::assignment::{Dns, RecordType};

/// Reads the text in each of these roles.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(read) = text.parse::<Override>() {
        let again: Override = read.to_string().parse().expect("what is printed can be read");
        assert_eq!(read, again);
        let _never_panics = denied(read.address.ip());
        assert!(read.port != 0 && read.address.port() != 0);
        assert!(!read.host.ends_with('.') && !read.host.is_empty(), "{read:?}");
    }
    if let Ok((host, port)) = check::destination(text) {
        assert!(!host.is_empty());
        let again = check::destination(&format!("tcp://{host}:{port}"));
        assert_eq!(again, Ok((host, port)), "a host is read differently when it is printed");
    }
    let dns = Dns {
        name: text.to_owned(),
        record: RecordType::A,
        server: Some(text.to_owned()),
        tcp: false,
        rcode: String::new(),
        answers: Vec::new(),
        authentic: false,
        authoritative: false,
        ttl: None,
    };
    let _never_panics = (check::name_server(&dns, "http://a.test"), check::dns::question(&dns));
}
