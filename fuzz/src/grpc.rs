//! What a gRPC server answers to the health check.

use crate::parts;
use probe::fuzzing::check::grpc;

/// The first line is the status (and the name of a service), the rest a frame (and a message).
pub fn run(data: &[u8]) {
    let (status, frame) = parts::line(data);
    let _never_panics = grpc::answer(frame);
    let (code, message) = grpc::words(&status, frame);
    assert!(code.chars().count() < status.chars().count() + 100, "a long name: {code}");
    assert!(message.len() <= 3 * frame.len(), "it grew");
    match grpc::question(&status) {
        // A request has no status, and is a frame all the same.
        Some(question) => assert_eq!(grpc::answer(&question), Ok((0, "UNKNOWN".into()))),
        None => assert!(status.len() > 1024),
    }
}
