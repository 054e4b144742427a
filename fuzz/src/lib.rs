//! What is fuzzed: one module for each target, whose `run` takes any bytes and panics when a promise is broken.
//!
//! A target does what the program does with bytes from outside, and checks what must hold whatever they are. The
//! engine (libFuzzer, see `fuzz_targets/`) looks for bytes that lead to new code; the test in `tests/seeds.rs` replays
//! the seeds and every past finding without it.
//!
//! | target | who sends the bytes | what must hold |
//! |---|---|---|
//! | [`report`] | a probe, to the collector | what was read can be written and read again, and does not grow |
//! | [`decide`] | probes with a token | any report can be folded; no plan is empty; the state survives its snapshot |
//! | [`directive`] | a collector, to the probe | what validates can be scheduled and confirmed, slot by slot |
//! | [`config`] | whoever writes the document | every problem has a place; what is accepted suits the probe |
//! | [`spool`] | the probe's disk | a damaged folder opens, gives only what is sound, and takes more |
//! | [`stamp`] | probes, and whoever forges them | what was decoded decodes again; extensions tile the packet |
//! | [`reflect`] | anybody, to a reflector | no answer is longer than allowed; all are counted |
//! | [`har`], [`curl`] | a browser, by way of a person | bounded; the YAML is well-formed, with one note a line |
//! | [`dns`], [`icmp`], [`grpc`], [`certificate`] | a target | no panic; what we send is read as what it is |
//! | [`cookie`] | a target | cookies go back to their host only, within their number |
//! | [`judge`] | a target, and who writes the check | ends in time; captures are what the body holds |
//! | [`template`] | a target, by captured values | values come out as they are and never lead elsewhere |
//! | [`evidence`] | a target | bounded, without control characters, without the secrets |
//! | [`resolve`] | the command line | what is printed can be read again |
//! | [`archive`] | whoever hands over a backup | what is whole can be written and read again; names are plain words |
//! | [`event`] | a collector, to receivers | what was read can be written and read again |

pub mod archive;
pub mod certificate;
pub mod config;
pub mod cookie;
pub mod curl;
pub mod decide;
pub mod directive;
pub mod dns;
pub mod event;
pub mod evidence;
pub mod grpc;
pub mod har;
pub mod icmp;
mod json;
pub mod judge;
mod parts;
pub mod reflect;
pub mod report;
pub mod resolve;
pub mod spool;
pub mod stamp;
pub mod template;

/// Takes any bytes, and panics when a promise is broken.
pub type Run = fn(&[u8]);

/// Every target by its name, which is also that of its binary and of its folder of seeds.
pub const TARGETS: [(&str, Run); 20] = [
    ("archive", archive::run),
    ("certificate", certificate::run),
    ("config", config::run),
    ("cookie", cookie::run),
    ("curl", curl::run),
    ("decide", decide::run),
    ("directive", directive::run),
    ("dns", dns::run),
    ("event", event::run),
    ("evidence", evidence::run),
    ("grpc", grpc::run),
    ("har", har::run),
    ("icmp", icmp::run),
    ("judge", judge::run),
    ("reflect", reflect::run),
    ("report", report::run),
    ("resolve", resolve::run),
    ("spool", spool::run),
    ("stamp", stamp::run),
    ("template", template::run),
];
