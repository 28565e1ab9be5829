//! Twin of what a token says it is.

use quorate_protocol::token::{TokenIdentity, TokenVersion};
use serde_json::Value;

use crate::{Twin, fields};

impl Twin for TokenVersion {
    fn twin(&self) -> Value {
        self.to_string().into()
    }
}

/// What a token does not tell is absent.
impl Twin for TokenIdentity {
    fn twin(&self) -> Value {
        fields! {
            "manufacturer": self.manufacturer,
            "model": self.model,
            "serial": self.serial,
            "firmware"(?): self.firmware,
            "hardware"(?): self.hardware,
        }
    }
}

#[cfg(test)]
mod tests {
    use quorate_protocol::atoms::Text;

    use super::*;

    #[test]
    fn what_a_token_does_not_tell_is_absent() {
        let identity = TokenIdentity {
            manufacturer: Text::new("Maker").unwrap(),
            model: Text::new("One").unwrap(),
            serial: Text::new("17").unwrap(),
            firmware: TokenVersion::told(2, 6),
            hardware: None,
        };
        let twin = r#"{"manufacturer":"Maker","model":"One","serial":"17","firmware":"2.6"}"#;
        assert_eq!(identity.twin().to_string(), twin);
    }
}
