//! The three places where a document names its instance must agree.
//!
//! For module id `i-0123456789abcdef0-enc0123456789abcdef`:
//!
//! * the leaf's common name is the module id and a scope: `….us-east-1.aws`;
//! * its issuer's common name is the instance id, the same scope and a fixed end:
//!   `i-0123456789abcdef0.us-east-1.aws.nitro-enclaves`;
//! * PCR4 is the zero register extended with the text of the instance id.
//!
//! The shape is that of every genuine document looked at. The scope is compared, never read, so
//! another partition's names need no change here.

use super::certificate::Link;
use super::chain::Chain;
use super::document::Document;
use super::error::AttestationError;
use super::pcr::Pcr;

/// The register that holds the instance id.
const INSTANCE_PCR: u8 = 4;

pub(super) fn check(document: &Document, chain: &Chain<'_>) -> Result<(), AttestationError> {
    let module_id = document.module_id();
    let instance_id = instance_id(module_id).ok_or(AttestationError::ModuleIdMalformed)?;

    let scope = scope(chain.leaf().common_name(), module_id)
        .ok_or(AttestationError::NameMismatch { link: Link::Leaf })?;
    let issuer = chain
        .leaf_issuer()
        .ok_or(AttestationError::CabundleLength { found: 0 })?;
    let issuer_scope = scope_of_instance(issuer.common_name(), instance_id);
    if issuer_scope != Some(scope) {
        let link = issuer.link();
        return Err(AttestationError::NameMismatch { link });
    }

    let expected = Pcr::ZERO.extend(instance_id.as_bytes());
    let found = document.pcrs().require(INSTANCE_PCR)?;
    if *found != expected {
        return Err(AttestationError::InstancePcrMismatch {
            expected,
            found: *found,
        });
    }
    Ok(())
}

/// The instance id in `i-<hex>-enc<hex>`.
fn instance_id(module_id: &str) -> Option<&str> {
    let (instance_id, enclave) = module_id.split_once("-enc")?;
    let instance = instance_id.strip_prefix("i-")?;
    (is_hex(instance, 8) && is_hex(enclave, 1)).then_some(instance_id)
}

fn is_hex(text: &str, least: usize) -> bool {
    let digits = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (least..=32).contains(&text.len()) && text.bytes().all(digits)
}

/// What follows `prefix` and a dot.
fn scope<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    name.strip_prefix(prefix)?
        .strip_prefix('.')
        .filter(|scope| !scope.is_empty())
}

fn scope_of_instance<'a>(name: &'a str, instance_id: &str) -> Option<&'a str> {
    scope(name, instance_id)?.strip_suffix(".nitro-enclaves")
}
