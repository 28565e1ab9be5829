//! Addresses and transactions: published examples, every refusal, and properties.

use proptest::prelude::*;
use quorate_chain::ethereum::{
    Access, Address, AddressError, Eip1559, FormatError, MAX_ACCESS_ADDRESSES, MAX_ACCESS_KEYS,
    MAX_TRANSACTION, Parity, Signature, SignatureError, Signed, TransactionError, TransactionType,
    Unsigned, keccak256,
};
use quorate_chain::rlp::{RlpError, Writer};
use quorate_chain::{HexError, U256, from_hex, to_hex};

fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

fn transfer() -> Eip1559 {
    Eip1559 {
        chain_id: 1,
        nonce: 9,
        max_priority_fee_per_gas: 1_500_000_000,
        max_fee_per_gas: 30_000_000_000,
        gas_limit: 21_000,
        to: Some(address("0x3535353535353535353535353535353535353535")),
        value: U256::from(1_000_000_000_000_000_000u64),
        data: Vec::new(),
        access_list: Vec::new(),
    }
}

fn signature() -> Signature {
    Signature::new(Parity::Odd, &[0x11; 32], &[0x22; 32]).expect("in range")
}

/// A transaction made of arbitrary items.
fn raw(fill: impl Fn(&mut Writer)) -> Vec<u8> {
    let mut items = Writer::new();
    fill(&mut items);
    let mut bytes = vec![2];
    items.finish(&mut bytes);
    bytes
}

/// The hash of nothing, and of the word that names the hash in Solidity's documentation.
#[test]
fn keccak_is_the_original_one() {
    assert_eq!(
        to_hex(&keccak256(b"")),
        "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    );
    assert_eq!(
        to_hex(&keccak256(b"abc")),
        "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"
    );
}

/// The examples of EIP-55.
#[test]
fn checksums_are_those_of_eip_55() {
    for text in [
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x27b1fdb04752bbc536007a920d24acb045561c26",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ] {
        assert_eq!(address(text).to_string(), text);
        let lower = text.to_lowercase();
        assert_eq!(address(&lower), address(text));
        let upper = format!("0x{}", text[2..].to_uppercase());
        assert_eq!(address(&upper), address(text));
    }
}

#[test]
fn mistyped_addresses_fails_closed() {
    let good = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
    let parsed = |text: &str| text.parse::<Address>();
    for (offset, character) in good.char_indices().skip(2) {
        if !character.is_ascii_alphabetic() {
            continue;
        }
        let mut text = good.to_owned();
        let flipped = match character.is_ascii_lowercase() {
            true => character.to_ascii_uppercase(),
            false => character.to_ascii_lowercase(),
        };
        text.replace_range(offset..=offset, &flipped.to_string());
        assert_eq!(parsed(&text), Err(AddressError::Checksum { offset }));
    }
    assert_eq!(parsed(&good[..41]), Err(AddressError::Length { found: 41 }));
    assert_eq!(parsed(""), Err(AddressError::Length { found: 0 }));
    assert_eq!(parsed(&good[2..]), Err(AddressError::Length { found: 40 }));
    assert_eq!(
        parsed(&format!("00{}", &good[2..])),
        Err(AddressError::Prefix)
    );
    assert_eq!(
        parsed(&format!("{}g", &good[..41])),
        Err(AddressError::Digit { offset: 41 })
    );
    // 42 bytes, not all of them characters of one byte.
    assert_eq!(
        parsed(&format!("{}é", &good[..40])),
        Err(AddressError::Digit { offset: 40 })
    );
    assert!(parsed(good).is_ok());
}

/// The address of the key 1 is widely known.
#[test]
fn address_of_a_public_key() {
    let point = from_hex(
        "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798\
         483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8",
        64,
    );
    let point: [u8; 64] = point.expect("digits").try_into().expect("64 bytes");
    assert_eq!(
        Address::of_public_key(&point).to_string(),
        "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
    );
}

#[test]
fn a_transfer_is_written_as_the_specification_says() {
    let unsigned = Unsigned::new(transfer()).expect("a transfer");
    assert_eq!(
        to_hex(unsigned.as_bytes()),
        "02f00109\
         8459682f00\
         8506fc23ac00\
         825208\
         943535353535353535353535353535353535353535\
         880de0b6b3a7640000\
         80\
         c0"
    );
    assert_eq!(unsigned.signing_hash(), keccak256(unsigned.as_bytes()));
}

#[test]
fn text_with_and_without_prefix_is_one_transaction() {
    let unsigned = Unsigned::new(transfer()).expect("a transfer");
    let text = to_hex(unsigned.as_bytes());
    assert_eq!(Unsigned::from_hex(&text), Ok(unsigned.clone()));
    assert_eq!(
        Unsigned::from_hex(&format!("0x{text}")),
        Ok(unsigned.clone())
    );
    assert_eq!(Unsigned::from_hex(&text.to_uppercase()), Ok(unsigned));
}

#[test]
fn text_that_is_not_hexadecimal_fails_closed() {
    let text = to_hex(Unsigned::new(transfer()).expect("a transfer").as_bytes());
    let refused = |text: &str| Unsigned::from_hex(text).expect_err("refused");
    assert_eq!(refused(""), TransactionError::Empty);
    assert_eq!(refused("0x"), TransactionError::Empty);
    let digits = text.len() - 1;
    assert_eq!(
        refused(&text[..digits]),
        TransactionError::Hex(HexError::Odd { digits })
    );
    let at = |offset| TransactionError::Hex(HexError::Digit { offset });
    assert_eq!(refused(&format!("0x0X{text}")), at(3));
    assert_eq!(refused(&format!("{}g0", &text[..2])), at(2));
    assert_eq!(refused(&format!("0x {text} ")), at(2));
    let long = "00".repeat(MAX_TRANSACTION + 1);
    assert_eq!(
        refused(&long),
        TransactionError::Hex(HexError::TooLong {
            max: MAX_TRANSACTION,
            found: MAX_TRANSACTION + 1
        })
    );
}

#[test]
fn other_types_of_transaction_fails_closed() {
    let mut bytes = Unsigned::new(transfer())
        .expect("a transfer")
        .as_bytes()
        .to_vec();
    let named = |found| Err(TransactionError::Type { found });
    for (first, refused) in [
        (0x01, named(TransactionType::AccessList)),
        (0x03, named(TransactionType::Blob)),
        (0x04, named(TransactionType::SetCode)),
        (0xf8, named(TransactionType::Legacy)),
        (0x00, Err(TransactionError::UnknownType { found: 0 })),
        (0x05, Err(TransactionError::UnknownType { found: 5 })),
        (0x7f, Err(TransactionError::UnknownType { found: 0x7f })),
        (0xb8, Err(TransactionError::UnknownType { found: 0xb8 })),
    ] {
        bytes[0] = first;
        assert_eq!(Unsigned::parse(&bytes), refused);
        assert_eq!(Signed::parse(&bytes).map(|s| s.unsigned().clone()), refused);
    }
    bytes[0] = 2;
    assert!(Unsigned::parse(&bytes).is_ok());
}

#[test]
fn a_signed_transaction_where_an_unsigned_one_belongs_fails_closed() {
    let unsigned = Unsigned::new(transfer()).expect("a transfer");
    let signed = Signed::new(unsigned.clone(), signature()).expect("small");
    assert_eq!(
        Unsigned::parse(signed.as_bytes()),
        Err(TransactionError::AlreadySigned)
    );
    assert_eq!(
        Signed::parse(unsigned.as_bytes()),
        Err(TransactionError::NotSigned)
    );
    assert_eq!(Signed::parse(signed.as_bytes()), Ok(signed.clone()));
    assert_eq!(signed.hash(), keccak256(signed.as_bytes()));
    assert_eq!(signed.unsigned(), &unsigned);
}

/// A list of the wrong length, at every length.
#[test]
fn missing_and_additional_items_fails_closed() {
    let items = |count: usize| {
        raw(|w| {
            let nine: [&dyn Fn(&mut Writer); 9] = [
                &|w| {
                    w.u64(1);
                },
                &|w| {
                    w.u64(9);
                },
                &|w| {
                    w.u64(1);
                },
                &|w| {
                    w.u64(2);
                },
                &|w| {
                    w.u64(21_000);
                },
                &|w| {
                    w.bytes(&[0x35; 20]);
                },
                &|w| {
                    w.u64(5);
                },
                &|w| {
                    w.bytes(&[]);
                },
                &|w| {
                    w.list(&Writer::new());
                },
            ];
            nine.iter().take(count).for_each(|item| item(w));
            (9..count).for_each(|_| {
                w.u64(1);
            });
        })
    };
    for count in 0..9 {
        let offset = items(count).len();
        assert_eq!(
            Unsigned::parse(&items(count)),
            Err(RlpError::Missing { offset }.into()),
            "{count}"
        );
    }
    assert!(Unsigned::parse(&items(9)).is_ok());
    let offset = items(9).len();
    for count in [10, 11, 13] {
        assert_eq!(
            Unsigned::parse(&items(count)),
            Err(RlpError::Items { offset }.into()),
            "{count}"
        );
    }
    assert_eq!(
        Unsigned::parse(&items(12)),
        Err(TransactionError::AlreadySigned)
    );
    assert!(Signed::parse(&items(12)).is_ok());
    assert_eq!(
        Signed::parse(&items(13)).err(),
        Some(
            RlpError::Items {
                offset: items(12).len()
            }
            .into()
        )
    );
}

#[test]
fn truncated_and_trailing_bytes_fails_closed() {
    let bytes = Unsigned::new(transfer())
        .expect("a transfer")
        .as_bytes()
        .to_vec();
    for end in 1..bytes.len() {
        assert!(
            matches!(
                Unsigned::parse(&bytes[..end]),
                Err(TransactionError::Rlp(
                    RlpError::Truncated { offset: 1 } | RlpError::Missing { offset: 1 }
                ))
            ),
            "{end}"
        );
    }
    let mut longer = bytes.clone();
    longer.push(0);
    let offset = bytes.len();
    assert_eq!(
        Unsigned::parse(&longer),
        Err(RlpError::Trailing { offset, count: 1 }.into())
    );
    assert_eq!(Unsigned::parse(&[]), Err(TransactionError::Empty));
}

#[test]
fn rules_of_the_format_fails_closed() {
    let check = |change: &dyn Fn(&mut Eip1559), refused: FormatError| {
        let mut transaction = transfer();
        change(&mut transaction);
        assert_eq!(Unsigned::new(transaction), Err(refused));
    };
    check(&|t| t.chain_id = 0, FormatError::ChainIdZero);
    check(&|t| t.nonce = u64::MAX, FormatError::NonceTooLarge);
    let (priority, max) = (30_000_000_001, 30_000_000_000);
    check(
        &|t| t.max_priority_fee_per_gas = priority,
        FormatError::PriorityAboveMaximum { priority, max },
    );
    let (max, found) = (MAX_TRANSACTION, MAX_TRANSACTION + 1);
    check(
        &|t| t.data = vec![0; found],
        FormatError::TooLarge { max, found },
    );
    let access = |keys: usize| Access {
        address: Address::new([1; 20]),
        storage_keys: vec![[2; 32]; keys],
    };
    let max = MAX_ACCESS_ADDRESSES;
    check(
        &|t| t.access_list = vec![access(0); max + 1],
        FormatError::AccessAddresses { max },
    );
    let max = MAX_ACCESS_KEYS;
    check(
        &|t| t.access_list = vec![access(max), access(1)],
        FormatError::AccessKeys { max },
    );
    // The same rules where the bytes come from outside.
    let bytes = raw(|w| {
        w.u64(0).u64(9).u64(1).u64(2).u64(21_000).bytes(&[]).u64(5);
        w.bytes(&[]).list(&Writer::new());
    });
    assert_eq!(
        Unsigned::parse(&bytes),
        Err(FormatError::ChainIdZero.into())
    );
    let bytes = raw(|w| {
        let (mut entry, mut list) = (Writer::new(), Writer::new());
        entry.bytes(&[1; 20]).list(&Writer::new());
        (0..=MAX_ACCESS_ADDRESSES).for_each(|_| {
            list.list(&entry);
        });
        w.u64(1).u64(9).u64(1).u64(2).u64(21_000).bytes(&[]).u64(5);
        w.bytes(&[]).list(&list);
    });
    let max = MAX_ACCESS_ADDRESSES;
    assert_eq!(
        Unsigned::parse(&bytes),
        Err(FormatError::AccessAddresses { max }.into())
    );
}

/// What is exactly at the limits is taken, and what the signature makes too large is not.
#[test]
fn size_limits_are_exact() {
    let mut transaction = transfer();
    let overhead = {
        transaction.data = vec![1; 100_000];
        Unsigned::new(transaction.clone())
            .expect("fits")
            .as_bytes()
            .len()
            - 100_000
    };
    transaction.data = vec![1; MAX_TRANSACTION - overhead];
    let largest = Unsigned::new(transaction.clone()).expect("the largest");
    assert_eq!(largest.as_bytes().len(), MAX_TRANSACTION);
    assert_eq!(Unsigned::parse(largest.as_bytes()), Ok(largest.clone()));
    let (max, found) = (MAX_TRANSACTION, MAX_TRANSACTION + 67);
    assert_eq!(
        Signed::new(largest, signature()),
        Err(FormatError::TooLarge { max, found })
    );
    transaction.data.push(1);
    let found = MAX_TRANSACTION + 1;
    assert_eq!(
        Unsigned::new(transaction),
        Err(FormatError::TooLarge { max, found })
    );
    let bytes = vec![2; MAX_TRANSACTION + 1];
    assert_eq!(
        Unsigned::parse(&bytes),
        Err(FormatError::TooLarge { max, found }.into())
    );
}

#[test]
fn signatures_out_of_range_fails_closed() {
    let order = from_hex(
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
        32,
    );
    let order: [u8; 32] = order.expect("digits").try_into().expect("32 bytes");
    let half = from_hex(
        "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0",
        32,
    );
    let half: [u8; 32] = half.expect("digits").try_into().expect("32 bytes");
    let mut above = half;
    above[31] += 1;
    let mut last = order;
    last[31] -= 1;
    let made = |r, s| Signature::new(Parity::Even, r, s);
    assert_eq!(made(&[0; 32], &half), Err(SignatureError::R));
    assert_eq!(made(&order, &half), Err(SignatureError::R));
    assert_eq!(made(&[1; 32], &[0; 32]), Err(SignatureError::S));
    assert_eq!(made(&[1; 32], &order), Err(SignatureError::S));
    assert_eq!(made(&[1; 32], &last), Err(SignatureError::HighS));
    assert_eq!(made(&[1; 32], &above), Err(SignatureError::HighS));
    assert!(made(&last, &half).is_ok());
    // The same where the bytes come from outside.
    let signed = |parity: u64, s: &[u8; 32]| {
        raw(|w| {
            w.u64(1).u64(9).u64(1).u64(2).u64(21_000).bytes(&[]).u64(5);
            w.bytes(&[]).list(&Writer::new());
            w.u64(parity).u64(1).u256(&U256::from_be_bytes(s));
        })
    };
    assert!(Signed::parse(&signed(1, &half)).is_ok());
    assert_eq!(
        Signed::parse(&signed(2, &half)),
        Err(SignatureError::Parity { found: 2 }.into())
    );
    assert_eq!(
        Signed::parse(&signed(1, &above)),
        Err(SignatureError::HighS.into())
    );
}

#[test]
fn the_maximum_cost_is_value_and_fees() {
    let mut transaction = transfer();
    let fees = U256::from(21_000u64 * 30_000_000_000);
    assert_eq!(
        transaction.maximum_cost(),
        fees.checked_add(transaction.value)
    );
    transaction.value = U256::MAX;
    assert_eq!(transaction.maximum_cost(), None);
    transaction.value = U256::ZERO;
    transaction.gas_limit = u64::MAX;
    transaction.max_fee_per_gas = u128::MAX;
    let product = U256::from(u64::MAX).checked_mul(U256::from(u128::MAX));
    assert_eq!(transaction.maximum_cost(), product);
}

fn transactions() -> impl Strategy<Value = Eip1559> {
    let access = (
        any::<[u8; 20]>(),
        prop::collection::vec(any::<[u8; 32]>(), 0..3),
    )
        .prop_map(|(address, storage_keys)| Access {
            address: Address::new(address),
            storage_keys,
        });
    let fees = (any::<u128>(), any::<u128>(), 0u32..128)
        .prop_map(|(a, b, shift)| ((a >> shift).min(b >> shift), (a >> shift).max(b >> shift)));
    (
        1..u64::MAX,
        0..u64::MAX,
        fees,
        any::<u64>(),
        any::<Option<[u8; 20]>>(),
        any::<[u8; 32]>(),
        prop::collection::vec(any::<u8>(), 0..300),
        prop::collection::vec(access, 0..3),
    )
        .prop_map(
            |(chain_id, nonce, (priority, max), gas_limit, to, value, data, access_list)| Eip1559 {
                chain_id,
                nonce,
                max_priority_fee_per_gas: priority,
                max_fee_per_gas: max,
                gas_limit,
                to: to.map(Address::new),
                value: U256::from_be_bytes(&value),
                data,
                access_list,
            },
        )
}

proptest! {
    #[test]
    fn what_is_written_is_read(transaction in transactions(), odd: bool) {
        let unsigned = Unsigned::new(transaction).expect("keeps the rules");
        prop_assert_eq!(Unsigned::parse(unsigned.as_bytes()), Ok(unsigned.clone()));
        let parity = if odd { Parity::Odd } else { Parity::Even };
        let signature = Signature::new(parity, &[0x11; 32], &[0x22; 32]).expect("in range");
        let signed = Signed::new(unsigned, signature).expect("small");
        prop_assert_eq!(Signed::parse(signed.as_bytes()), Ok(signed));
    }

    /// A changed byte is refused or means something else, and what it means has those bytes.
    #[test]
    fn a_changed_byte_never_means_the_same(
        transaction in transactions(), at in any::<prop::sample::Index>(), change in 1u8..,
    ) {
        let unsigned = Unsigned::new(transaction).expect("keeps the rules");
        let mut bytes = unsigned.as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        if let Ok(other) = Unsigned::parse(&bytes) {
            prop_assert_ne!(other.transaction(), unsigned.transaction());
            prop_assert_eq!(other.as_bytes(), &bytes[..]);
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_surprise(mut bytes in prop::collection::vec(any::<u8>(), 1..200)) {
        bytes[0] = 2;
        if let Ok(unsigned) = Unsigned::parse(&bytes) {
            prop_assert_eq!(unsigned.as_bytes(), &bytes[..]);
        }
    }

    #[test]
    fn addresses_print_as_they_are_read(bytes: [u8; 20]) {
        let text = Address::new(bytes).to_string();
        prop_assert_eq!(text.parse(), Ok(Address::new(bytes)));
    }
}
