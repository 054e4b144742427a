//! The kinds of checks: what a right one means to a probe, and what is said of a wrong one.

use super::{bad, good, with_checks};
use crate::config::assignment;
use std::collections::BTreeMap;
use wire::assignment::{
    CheckKind, ClientCertificate, Dns, Grpc, Icmp, RecordType, StartTls, Tcp, Tls, TlsOptions, TlsVersion,
    WebSocket,
};

/// The kind that a probe gets for these fields of a check.
fn kind(fields: &str) -> CheckKind {
    let config = good(&with_checks(&format!("  c: {{service: shop, {fields}}}\n")));
    config.checks[&"c".parse().expect("an id")].kind.clone()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Each wrong check has exactly one problem, with this place in the tree and this in its message.
fn refused(cases: &[(&str, &str)]) {
    for (fields, expected) in cases {
        let problems = bad(&with_checks(&format!("  c: {{service: shop, {fields}}}\n")));
        assert_eq!(problems.len(), 1, "{fields}: {problems:?}");
        assert!(problems[0].contains(&format!(" checks.c{expected}")), "{fields}: {problems:?}");
    }
}

#[test]
fn tcp() {
    for bare in ["tcp: ", "tcp: {}"] {
        assert_eq!(kind(bare), CheckKind::Tcp(Tcp::default()));
    }
    let talk = Tcp { send: some("PING\r\n"), expect: some("PONG"), starttls: None };
    assert_eq!(kind(r#"tcp: {send: "PING\r\n", expect: PONG}"#), CheckKind::Tcp(talk));
    let long = format!("tcp: {{send: {}}}", "x".repeat(4097));
    refused(&[
        ("tcp: {sent: x}", ".tcp: unknown key `sent`; did you mean `send`?"),
        ("tcp: {port: 0}", ".tcp.port: expected a whole number from 1 to 65535, found 0"),
        (
            "tcp: {starttls: smpt}",
            ".tcp.starttls: expected `smtp`, `imap`, `pop3`, `ftp`, `ldap` or `postgres`",
        ),
        ("tcp: {tls: {skip_verify: true}}", ".tcp.tls: the connection stays in clear: add `starttls`"),
        ("tcp: {expect: ''}", ".tcp.expect: expected a text that is not empty"),
        ("tcp: {expect: 220}", ".tcp.expect: expected a text (put it in quotes), found 220"),
        ("tcp: yes", ".tcp: expected a mapping, found \"yes\""),
        (&long, ".tcp.send: is 4097 bytes long; the limit is 4096"),
    ]);
}

#[test]
fn tls() {
    assert_eq!(kind("tls: "), CheckKind::Tls(Tls::default()));
    let asked =
        Tls { server_name: some("shop.example.com"), valid_for_s: Some(14 * 86_400), ..Tls::default() };
    assert_eq!(kind("tls: {server_name: shop.example.com, valid_for: 14d}"), CheckKind::Tls(asked));
    let bounds =
        |valid_for| match kind(&format!("tls: {{server_name: '2001:DB8::1', valid_for: {valid_for}}}")) {
            CheckKind::Tls(tls) => (tls.server_name.expect("a name"), tls.valid_for_s.expect("a duration")),
            other => panic!("{other:?}"),
        };
    assert_eq!(bounds("1h"), ("2001:db8::1".to_owned(), 3_600));
    assert_eq!(bounds("1825d").1, 157_680_000);
    refused(&[
        ("tls: {valid_for: 59m}", ".tls.valid_for: expected a duration from 1h to 1825d, found \"59m\""),
        ("tls: {valid_for: 1826d}", ".tls.valid_for: expected a duration from 1h to 1825d, found \"1826d\""),
        (
            "tls: {valid_for: 14}",
            ".tls.valid_for: expected a duration such as 250ms, 2s, 5m or 1h30m, found 14",
        ),
        ("tls: {server_nam: x}", ".tls: unknown key `server_nam`; did you mean `server_name`?"),
        ("tls: {server_name: 'https://x'}", ".tls.server_name: expected a DNS name such as www.example.com"),
        ("tls: {server_name: 'x:443'}", ".tls.server_name: expected a DNS name such as www.example.com"),
        ("tls: {server_name: bücher.example}", ".tls.server_name: expected a DNS name in ASCII, with its"),
    ]);
}

#[test]
fn dns() {
    let least = Dns {
        name: "www.example.com".to_owned(),
        record: RecordType::A,
        server: None,
        tcp: false,
        rcode: "NOERROR".to_owned(),
        answers: Vec::new(),
        authentic: false,
        authoritative: false,
        ttl: None,
    };
    assert_eq!(kind("dns: {name: www.example.com.}"), CheckKind::Dns(least.clone()));
    let whole = Dns {
        server: some("192.0.2.53:53"),
        tcp: true,
        answers: vec!["192.0.2.1".to_owned(), "192.0.2.2".to_owned()],
        authentic: true,
        ..least.clone()
    };
    let text = "dns: {name: www.example.com, record: a, server: 192.0.2.53, tcp: true, rcode: noerror, answers: \
                [192.0.2.1, 192.0.2.2], authentic: true}";
    assert_eq!(kind(text), CheckKind::Dns(whole));
    let refusal = Dns { rcode: "REFUSED".to_owned(), server: some("[::1]:5353"), ..least.clone() };
    let text = "dns: {name: www.example.com, rcode: REFUSED, server: '[::1]:5353'}";
    assert_eq!(kind(text), CheckKind::Dns(refusal));
    for (record, written, answer) in [
        ("aaaa", "'2001:DB8:0::1'", "2001:db8::1"),
        ("CNAME", "cdn.example.net.", "cdn.example.net"),
        ("Mx", "mail.example.com", "mail.example.com"),
        ("NS", "ns1.example.com.", "ns1.example.com"),
        ("soa", "ns1.example.com", "ns1.example.com"),
        ("TXT", "'v=spf1 -all.'", "v=spf1 -all."),
    ] {
        match kind(&format!("dns: {{name: a, record: {record}, answers: {written}}}")) {
            CheckKind::Dns(dns) => assert_eq!(dns.answers, [answer], "{record}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn mistakes_in_dns() {
    let names = ["a..b", "192.0.2.1", "-a.example", "a b", &format!("{}b", "a.".repeat(127))];
    for name in names {
        let expected = ".dns.name: expected a DNS name such as www.example.com, at most 253 characters";
        refused(&[(&format!("dns: {{name: {name}}}"), expected)]);
    }
    let many = format!("dns: {{name: a, record: TXT, answers: [{}]}}", "x, ".repeat(51));
    refused(&[
        ("dns: {}", ".dns: `name` is missing, for example `name: www.example.com`"),
        ("dns: ", ".dns: expected a mapping, found nothing"),
        ("dns: {name: a, reccord: A}", ".dns: unknown key `reccord`; did you mean `record`?"),
        (
            "dns: {name: a, record: PTR}",
            ".dns.record: expected `A`, `AAAA`, `CNAME`, `MX`, `NS`, `SOA` or `TXT`, found \"PTR\"",
        ),
        (
            "dns: {name: a, rcode: 3}",
            ".dns.rcode: expected `NOERROR`, `FORMERR`, `SERVFAIL`, `NXDOMAIN`, `NOTIMP` or `REFUSED`, found 3",
        ),
        ("dns: {name: a, server: 'a:0'}", ".dns.server: expected a host with or without a port, such as"),
        ("dns: {name: a, server: 'https://a'}", ".dns.server: expected a host with or without a port"),
        ("dns: {name: a, tcp: yes}", ".dns.tcp: expected `true` or `false`, found \"yes\""),
        ("dns: {name: a, authentic: 1}", ".dns.authentic: expected `true` or `false`, found 1"),
        ("dns: {name: a, answers: [b]}", ".dns.answers[0]: expected an IPv4 address, which is what an A"),
        ("dns: {name: a, record: AAAA, answers: [1.2.3.4]}", ".dns.answers[0]: expected an IPv6 address"),
        ("dns: {name: a, record: NS, answers: [b, 1.2.3.4]}", ".dns.answers[1]: expected a DNS name such as"),
        ("dns: {name: a, record: nope, answers: [b]}", ".dns.record: expected `A`"),
        ("dns: {name: a, answers: []}", ".dns.answers: 1 to 50 records can be expected, these are 0"),
        (&many, ".dns.answers: 1 to 50 records can be expected, these are 51"),
        (
            "dns: {name: a, rcode: NXDOMAIN, answers: [1.2.3.4]}",
            ".dns.answers: an answer with NXDOMAIN holds no records; remove `answers` or `rcode`",
        ),
    ]);
}

#[test]
fn icmp() {
    let usual = Icmp { packets: 5, spacing_us: 200_000, max_loss_percent: 50 };
    for bare in ["icmp: ", "icmp: {}"] {
        assert_eq!(kind(bare), CheckKind::Icmp(usual.clone()));
    }
    let set = Icmp { packets: 20, spacing_us: 10_000, max_loss_percent: 0 };
    assert_eq!(kind("icmp: {packets: 20, spacing: 10ms, max_loss: 0%}"), CheckKind::Icmp(set));
    let single = Icmp { packets: 1, spacing_us: 1_000_000, max_loss_percent: 100 };
    assert_eq!(
        kind("timeout: 10ms, icmp: {packets: 1, spacing: 1s, max_loss: 100%}"),
        CheckKind::Icmp(single)
    );
    assert_eq!(kind("timeout: 801ms, icmp: "), CheckKind::Icmp(usual));
    let share = ": expected a share in whole percent from 0% to 100%, such as 20%, found ";
    for (max_loss, found) in
        [("20", "20"), ("0.2", "0.2"), ("101%", "\"101%\""), ("2.5%", "\"2.5%\""), ("'%'", "\"%\"")]
    {
        refused(&[(&format!("icmp: {{max_loss: {max_loss}}}"), &format!(".icmp.max_loss{share}{found}"))]);
    }
    refused(&[
        ("icmp: {packets: 0}", ".icmp.packets: expected a whole number from 1 to 20, found 0"),
        ("icmp: {packets: 21}", ".icmp.packets: expected a whole number from 1 to 20, found 21"),
        ("icmp: {spacing: 9ms}", ".icmp.spacing: expected a duration from 10ms to 1s, found \"9ms\""),
        ("icmp: {packet: 3}", ".icmp: unknown key `packet`; did you mean `packets`?"),
        (
            "icmp: {packets: 6, spacing: 1s}",
            ".icmp.spacing: the last of 6 packets would leave after 5s, and a run is cut after the timeout of 5s; send \
             fewer, shorten `spacing` or raise `timeout` of the check",
        ),
        (
            "timeout: 2s, icmp: {packets: 20}",
            ".icmp.packets: the last of 20 packets would leave after 3s800ms",
        ),
        ("interval: 800ms, icmp: ", ".icmp: the last of 5 packets would leave after 800ms, and a run is cut"),
    ]);
}

#[test]
fn grpc() {
    for bare in ["grpc: ", "grpc: {}"] {
        assert_eq!(kind(bare), CheckKind::Grpc(Grpc::default()));
    }
    let cart = Grpc { service: "shop.v1.Cart".to_owned() };
    assert_eq!(kind("grpc: {service: shop.v1.Cart}"), CheckKind::Grpc(cart));
    let long = format!("grpc: {{service: {}}}", "x".repeat(256));
    refused(&[
        ("grpc: {services: x}", ".grpc: unknown key `services`; did you mean `service`?"),
        (
            "grpc: {service: a b}",
            ".grpc.service: expected the name of a service without spaces, such as shop.v1.Cart",
        ),
        ("grpc: {service: ''}", ".grpc.service: expected a text that is not empty"),
        ("grpc: [x]", ".grpc: expected a mapping, found a list"),
        (&long, ".grpc.service: is 256 bytes long; the limit is 255"),
    ]);
}

#[test]
fn websocket() {
    let plain = WebSocket { path: "/".to_owned(), headers: BTreeMap::new(), send: None, expect: None };
    for bare in ["websocket: ", "websocket: {}"] {
        assert_eq!(kind(bare), CheckKind::WebSocket(plain.clone()));
    }
    let live = WebSocket {
        path: "/live?a={{b".to_owned(),
        headers: [("sec-websocket-protocol".to_owned(), "chat".to_owned())].into(),
        send: some("hello"),
        expect: some("hello"),
    };
    let text = "websocket: {path: '/live?a={{b', headers: {Sec-WebSocket-Protocol: chat}, send: hello, expect: hello}";
    assert_eq!(kind(text), CheckKind::WebSocket(live));
    let long = format!("websocket: {{expect: {}}}", "x".repeat(4097));
    refused(&[
        ("websocket: {paht: /x}", ".websocket: unknown key `paht`; did you mean `path`?"),
        ("websocket: {path: live}", ".websocket.path: expected a path that begins with /, found \"live\""),
        (
            "websocket: {headers: {Upgrade: h2c}}",
            ".websocket.headers.Upgrade: is set by the probe; remove it",
        ),
        (
            "websocket: {headers: {Sec-WebSocket-Key: x}}",
            ".websocket.headers.Sec-WebSocket-Key: is set by the",
        ),
        ("websocket: {headers: {x: \"a\\nb\"}}", ".websocket.headers.x: is no value of a header"),
        ("websocket: {send: 1}", ".websocket.send: expected a text (put it in quotes), found 1"),
        (&long, ".websocket.expect: is 4097 bytes long; the limit is 4096"),
    ]);
}

#[test]
fn there_is_one_kind_and_it_is_spelled_right() {
    refused(&[
        ("tls: , dns: {name: a}", ".dns: `tls` and `dns` exclude each other; keep one of them"),
        ("icmp: , websocket: ", ".websocket: `icmp` and `websocket` exclude each other; keep one of them"),
    ]);
    let problems = bad(&with_checks("  c: {service: shop, web_socket: {}}\n"));
    assert!(problems[0].contains("checks.c: needs `http`, `tcp`, `tls`"), "{problems:?}");
    assert!(problems[1].contains("unknown key `web_socket`; did you mean `websocket`?"), "{problems:?}");
}

#[test]
fn all_problems_of_a_kind_are_told_at_once_where_they_stand() {
    let text = with_checks(
        "  c:\n    service: shop\n    timeout: 1s\n    dns:\n      name: a b\n      record: B\n      tcp: no\n  d:\n    \
         service: shop\n    icmp:\n      packets: 99\n      max_loss: 200%\n",
    );
    let expected = [
        "10:13 checks.c.dns.name: expected a DNS name such as www.example.com, at most 253 characters, at most 63 between \
         dots, found \"a b\"",
        "11:15 checks.c.dns.record: expected `A`, `AAAA`, `CNAME`, `MX`, `NS`, `SOA` or `TXT`, found \"B\"",
        "12:12 checks.c.dns.tcp: expected `true` or `false`, found \"no\"",
        "16:16 checks.d.icmp.packets: expected a whole number from 1 to 20, found 99",
        "17:17 checks.d.icmp.max_loss: expected a share in whole percent from 0% to 100%, such as 20%, found \"200%\"",
    ];
    assert_eq!(bad(&text), expected);
}

#[test]
fn secrets_of_the_probes_are_named_in_any_text() {
    match kind("tcp: {send: 'AUTH {{ secret.mail_key-2 }} {{ x }}', expect: '{{secret.b}}'}") {
        CheckKind::Tcp(tcp) => assert_eq!(tcp.send, some("AUTH {{ secret.mail_key-2 }} {{ x }}")),
        other => panic!("{other:?}"),
    }
    for right in [
        "http: {path: '/{{ secret.a }}?b=c', headers: {x: '{{ secret.a }}'}, json: {k: '{{ secret.a }}'}}",
        "http: {expect: {body_contains: '{{ secret.a }}', json: {$.a: '{{ secret.a }}'}}}",
        "websocket: {path: '/{{ secret.a }}', headers: {x: '{{ secret.a }}'}, send: '{{ secret.a }}'}",
        "journey: {steps: [{name: x, get: '/{{ secret.a-b }}', headers: {x: '{{secret.a}}'}}]}",
    ] {
        kind(right);
    }
    let long = format!("http: {{headers: {{x: '{{{{ secret.{} }}}}'}}}}", "x".repeat(64));
    refused(&[
        (
            "http: {headers: {x: '{{ secrets.a }}'}}",
            ".http.headers.x: there is no `secrets.a` in templates; did you mean `secret.a`?",
        ),
        ("http: {path: '/{{ secret.a b }}'}", ".http.path: \"secret.a b\" is no expression"),
        ("http: {body: '{{ secret }}'}", ".http.body: a secret is written as secret.NAME"),
        ("tcp: {send: '{{ secret.-a }}'}", ".tcp.send: a secret is written as secret.NAME"),
        ("websocket: {expect: '{{ secret.a- }}'}", ".websocket.expect: a secret is written as secret.NAME"),
        (
            "journey: {steps: [{name: x, get: '/{{ scret.a }}'}]}",
            ".journey.steps[0].get: there is no `scret.a` in templates; did you mean `secret.a`?",
        ),
        (
            "journey: {steps: [{name: x, get: /, capture: {secret: {header: y}}}]}",
            ".journey.steps[0].capture.secret: is built in",
        ),
        (&long, ".http.headers.x: a secret is written as secret.NAME"),
    ]);
}

/// The TLS options that a probe gets for these fields of a check, and the address it measures.
fn reach(fields: &str) -> (TlsOptions, String) {
    let config = good(&with_checks(&format!("  c: {{service: shop, to: a, {fields}}}\n")));
    let assigned = assignment(&config, 1, &"p".parse().expect("an id")).expect("it is configured");
    (assigned.checks[0].reach.tls.clone(), assigned.checks[0].endpoints[0].url.clone())
}

#[test]
fn tls_options_stand_in_every_kind_that_speaks_tls() {
    let options = "server_name: shop.test, least_version: '1.3', client: {certificate: c-1, key: k_1}";
    let wanted = TlsOptions {
        server_name: some("shop.test"),
        client: Some(ClientCertificate { certificate: "c-1".into(), key: "k_1".into() }),
        least_version: Some(TlsVersion::V1_3),
        ..TlsOptions::default()
    };
    for kind in [
        format!("http: {{tls: {{{options}}}}}"),
        format!("grpc: {{tls: {{{options}}}}}"),
        format!("websocket: {{tls: {{{options}}}}}"),
        format!("tcp: {{starttls: imap, tls: {{{options}}}}}"),
        format!("journey: {{tls: {{{options}}}, steps: [{{name: x, get: /}}]}}"),
    ] {
        assert_eq!(reach(&kind).0, wanted, "{kind}");
    }
    let (options, url) = reach("tls: {skip_verify: true, port: 465, server_name: x.test}");
    assert_eq!((options.skip_verify, options.server_name, url.as_str()), (true, None, "http://a:465"));
    assert_eq!(reach("tcp: {port: 25, starttls: smtp}").1, "tcp://a:25");
    assert_eq!(reach("grpc: {port: 50051}").1, "http://a:50051");
    assert_eq!(reach("tls: {ca: '{{ secret.shop-ca }}'}").0.ca, some("{{ secret.shop-ca }}"));
    let pem = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    assert_eq!(reach(&format!("tls: {{ca: {pem:?}}}")).0.ca, some(pem));
    match kind("tls: {cipher: TLS_AES_128_GCM_SHA256, stapled: true, starttls: postgres}") {
        CheckKind::Tls(tls) => {
            assert_eq!(tls.ciphers, ["TLS_AES_128_GCM_SHA256"]);
            assert_eq!((tls.stapled, tls.starttls), (true, Some(StartTls::Postgres)));
        }
        other => panic!("{other:?}"),
    }
    refused(&[
        ("http: {tls: {ca: /etc/ca.pem}}", ".http.tls.ca: expected certificates in PEM"),
        (
            "tls: {ca: '-----BEGIN CERTIFICATE----- x -----END CERTIFICATE-----'}",
            ".tls.ca: expected certificates",
        ),
        ("tls: {ca: '-----BEGIN PRIVATE KEY-----'}", ".tls.ca: holds a private key"),
        (
            "tls: {ca: '{{ secret.a }}', skip_verify: true}",
            ".tls.ca: with `skip_verify: true` nobody is asked",
        ),
        ("tls: {least_version: 1.3}", ".tls.least_version: expected `1.2` or `1.3`, found 1.3"),
        ("tls: {client: {certificate: a}}", ".tls.client: `key` is missing, for example"),
        (
            "tls: {client: {certificate: a, key: '-----BEGIN'}}",
            ".tls.client.key: expected the name of a secret",
        ),
        ("tls: {cipher: TLS_RSA_WITH_NULL_MD5}", ".tls.cipher: expected `TLS_AES_256_GCM_SHA384`"),
        ("tls: {skip_verify: no}", ".tls.skip_verify: expected `true` or `false`, found \"no\""),
        ("websocket: {tls: {skip_verfy: true}}", ".websocket.tls: unknown key `skip_verfy`; did you mean"),
    ]);
}
