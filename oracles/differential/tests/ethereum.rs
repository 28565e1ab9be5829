//! Transactions against alloy: the same bytes, hashes and sender; and of altered bytes whatever we take
//! alloy takes and reads alike, and whatever we alone refuse is refused for a rule of ours.

use alloy_consensus::transaction::SignerRecoverable;
use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_primitives as primitives;
use alloy_primitives::{TxKind, keccak256};
use alloy_rlp::Decodable as _;
use proptest::prelude::*;
use quorate_chain::U256;
use quorate_chain::ethereum::{
    Access, Address, Eip1559, FormatError, Parity, Signature, Signed, TransactionError, Unsigned,
};
use quorate_wallet::SigningKey;

/// The same transaction in alloy's type.
fn theirs(ours: &Eip1559) -> TxEip1559 {
    let item = |access: &Access| AccessListItem {
        address: access.address.as_bytes().into(),
        storage_keys: access.storage_keys.iter().map(Into::into).collect(),
    };
    TxEip1559 {
        chain_id: ours.chain_id,
        nonce: ours.nonce,
        gas_limit: ours.gas_limit,
        max_fee_per_gas: ours.max_fee_per_gas,
        max_priority_fee_per_gas: ours.max_priority_fee_per_gas,
        to: match &ours.to {
            Some(to) => TxKind::Call(to.as_bytes().into()),
            None => TxKind::Create,
        },
        value: primitives::U256::from_be_bytes(ours.value.to_be_bytes()),
        access_list: AccessList(ours.access_list.iter().map(item).collect()),
        input: ours.data.clone().into(),
    }
}

fn transactions() -> impl Strategy<Value = Eip1559> {
    let keys = prop::collection::vec(any::<[u8; 32]>(), 0..3);
    let access = (any::<[u8; 20]>(), keys).prop_map(|(address, storage_keys)| Access {
        address: Address::new(address),
        storage_keys,
    });
    let fees = (any::<u128>(), any::<u128>(), 0u32..128)
        .prop_map(|(a, b, shift)| ((a >> shift).min(b >> shift), (a >> shift).max(b >> shift)));
    let value = (any::<[u8; 32]>(), 0usize..=32).prop_map(|(mut bytes, zeros)| {
        bytes[..zeros].fill(0);
        U256::from_be_bytes(&bytes)
    });
    (
        (1..u64::MAX, 0..u64::MAX, 0u32..64)
            .prop_map(|(id, nonce, shift)| (id >> shift | 1, nonce >> shift)),
        fees,
        any::<u64>(),
        any::<Option<[u8; 20]>>(),
        value,
        prop::collection::vec(any::<u8>(), 0..300),
        prop::collection::vec(access, 0..3),
    )
        .prop_map(
            |((chain_id, nonce), (priority, max), gas_limit, to, value, data, access_list)| {
                Eip1559 {
                    chain_id,
                    nonce,
                    max_priority_fee_per_gas: priority,
                    max_fee_per_gas: max,
                    gas_limit,
                    to: to.map(Address::new),
                    value,
                    data,
                    access_list,
                }
            },
        )
}

/// Our reading of bytes, beside alloy's.
fn compare(bytes: &[u8]) -> Result<(), TestCaseError> {
    let theirs_read = match bytes.split_first() {
        Some((2, mut list)) => {
            let read = TxEip1559::decode(&mut list);
            read.ok().filter(|_| list.is_empty())
        }
        _ => None,
    };
    match (Unsigned::parse(bytes), theirs_read) {
        (Ok(ours), Some(read)) => prop_assert_eq!(theirs(ours.transaction()), read),
        (Ok(_), None) => prop_assert!(false, "alloy refuses what we take"),
        // The rules that alloy leaves to others.
        (
            Err(TransactionError::Format(
                FormatError::ChainIdZero
                | FormatError::NonceTooLarge
                | FormatError::PriorityAboveMaximum { .. },
            )),
            Some(_),
        ) => {}
        // alloy's reader is lenient where it is; its own writing must then be other bytes.
        (Err(_), Some(read)) => {
            let mut again = vec![2];
            alloy_rlp::Encodable::encode(&read, &mut again);
            prop_assert_ne!(&again[..], bytes, "we refuse what alloy writes");
        }
        (Err(_), None) => {}
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_same_bytes_hashes_and_sender(ours in transactions(), secret in any::<[u8; 32]>()) {
        let other = theirs(&ours);
        let unsigned = Unsigned::new(ours).expect("keeps the rules");
        prop_assert_eq!(unsigned.as_bytes(), other.encoded_for_signing());
        let hash = unsigned.signing_hash();
        prop_assert_eq!(hash, other.signature_hash().0);
        prop_assert_eq!(hash, keccak256(unsigned.as_bytes()).0);

        let Ok(key) = SigningKey::from_bytes(&secret) else { return Ok(()) };
        let made = key.sign(&hash).expect("a signature");
        let bytes = made.to_bytes();
        let (r, s) = bytes.split_first_chunk::<32>().expect("64 bytes");
        let s = s.try_into().expect("32 bytes");
        let parity = match made.parity() {
            quorate_wallet::Parity::Even => Parity::Even,
            quorate_wallet::Parity::Odd => Parity::Odd,
        };
        let signature = Signature::new(parity, r, s).expect("in range");
        let signed = Signed::new(unsigned, signature).expect("small");
        let address = Address::of_public_key(&key.public_key().coordinates());

        // Read by alloy from our bytes: transaction, hash, and the sender, whose text is the same.
        let envelope = <TxEnvelope as alloy_eips::eip2718::Decodable2718>::decode_2718(&mut signed.as_bytes()).expect("a transaction");
        prop_assert_eq!(envelope.encoded_2718(), signed.as_bytes());
        prop_assert_eq!(envelope.tx_hash().0, signed.hash());
        let sender = envelope.recover_signer().expect("a sender");
        prop_assert_eq!(sender.as_slice(), address.as_bytes());
        prop_assert_eq!(sender.to_checksum(None), address.to_string());
        prop_assert_eq!(envelope.as_eip1559().map(|signed| signed.tx().clone()), Some(other));
        prop_assert_eq!(Signed::parse(&envelope.encoded_2718()), Ok(signed));
    }

    #[test]
    fn altered_bytes_are_read_alike(ours in transactions(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), cut: bool) {
        let mut bytes = Unsigned::new(ours).expect("keeps the rules").as_bytes().to_vec();
        for (at, to) in changes {
            let at = at.index(bytes.len());
            if cut && bytes.len() > 1 { bytes.remove(at); } else { bytes[at] = to; }
        }
        compare(&bytes)?;
    }

    #[test]
    fn made_up_lists_are_read_alike(items in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..34), 0..12), empty_list: bool) {
        let mut writer = quorate_chain::rlp::Writer::new();
        items.iter().for_each(|item| { writer.bytes(item); });
        if empty_list { writer.list(&quorate_chain::rlp::Writer::new()); }
        let mut bytes = vec![2];
        writer.finish(&mut bytes);
        compare(&bytes)?;
    }

    #[test]
    fn addresses_are_read_and_printed_alike(bytes: [u8; 20], flip in any::<prop::sample::Index>()) {
        let other = primitives::Address::from(bytes);
        let text = other.to_checksum(None);
        prop_assert_eq!(Address::new(bytes).to_string(), text.clone());
        // One letter in the other case.
        let at = flip.index(40) + 2;
        let mut changed = text.clone().into_bytes();
        changed[at] ^= if changed[at].is_ascii_alphabetic() { 0x20 } else { 0 };
        let changed = String::from_utf8(changed).expect("ASCII");
        let letters = |text: &str| text[2..].bytes().filter(u8::is_ascii_alphabetic).count();
        let mixed = changed[2..].bytes().any(|c| c.is_ascii_lowercase()) && changed[2..].bytes().any(|c| c.is_ascii_uppercase());
        prop_assume!(letters(&changed) > 0 && mixed);
        let parsed = primitives::Address::parse_checksummed(&changed, None);
        prop_assert_eq!(changed.parse::<Address>().is_ok(), parsed.is_ok());
    }

    #[test]
    fn integers_are_read_and_printed_alike(a: [u8; 32], b: [u8; 32]) {
        let (x, y) = (U256::from_be_bytes(&a), U256::from_be_bytes(&b));
        let (p, q) = (primitives::U256::from_be_bytes(a), primitives::U256::from_be_bytes(b));
        prop_assert_eq!(x.to_string(), p.to_string());
        prop_assert_eq!(x.cmp(&y), p.cmp(&q));
        let bytes = |value: Option<U256>| value.map(|v| v.to_be_bytes());
        let theirs = |value: Option<primitives::U256>| value.map(|v| v.to_be_bytes::<32>());
        prop_assert_eq!(bytes(x.checked_add(y)), theirs(p.checked_add(q)));
        prop_assert_eq!(bytes(x.checked_sub(y)), theirs(p.checked_sub(q)));
        prop_assert_eq!(bytes(x.checked_mul(y)), theirs(p.checked_mul(q)));
        let small: primitives::U256 = p >> 140;
        let half = U256::from_be_bytes(&small.to_be_bytes::<32>());
        prop_assert_eq!(bytes(half.checked_mul(half)), theirs(small.checked_mul(small)));
    }
}
