//! Standard Webhooks 1.0.0 signatures: HMAC-SHA256 over `id.timestamp.body`, in base64, marked `v1`.

use crate::secret::WebhookKey;
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The value of the `webhook-signature` header; `timestamp` is in Unix seconds.
pub fn signature(key: &WebhookKey, id: &str, timestamp: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.bytes()).expect("HMAC takes a key of any length");
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body.as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published test vector of the specification.
    #[test]
    fn agrees_with_the_specification() {
        let key = WebhookKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a good key");
        let signature =
            signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn agrees_with_an_independent_implementation() {
        let secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
        let (id, at, body) = ("rt_shop_1_7_edge", 1_795_000_000, r#"{"a":"ü"}"#);
        let theirs = standardwebhooks::Webhook::new(secret)
            .expect("a good key")
            .sign(id, at, body.as_bytes())
            .expect("a signature");
        assert_eq!(signature(&WebhookKey::parse(secret).expect("a good key"), id, at, body), theirs);
    }
}
