//! RLP: the examples of the specification, every refusal, and properties.

use proptest::prelude::*;
use quorate_chain::U256;
use quorate_chain::rlp::{Reader, RlpError, Writer};

fn written(fill: impl Fn(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new();
    fill(&mut writer);
    let mut bytes = Vec::new();
    writer.finish(&mut bytes);
    bytes
}

/// The items of a list that stands at offset 0.
fn list(bytes: &[u8]) -> Reader<'_> {
    Reader::list_of(bytes, 0).expect("a list")
}

/// The examples of the page "Recursive-length prefix serialization" on ethereum.org.
#[test]
fn examples_of_the_specification() {
    let text = "Lorem ipsum dolor sit amet, consectetur adipisicing elit";
    let item = |fill: &dyn Fn(&mut Writer)| {
        let mut bytes = written(fill);
        bytes.drain(..if bytes[0] <= 0xf7 { 1 } else { 2 });
        bytes
    };
    assert_eq!(
        item(&|w| {
            w.bytes(b"dog");
        }),
        b"\x83dog"
    );
    assert_eq!(
        written(|w| {
            w.bytes(b"cat").bytes(b"dog");
        }),
        b"\xc8\x83cat\x83dog"
    );
    assert_eq!(
        item(&|w| {
            w.bytes(b"");
        }),
        [0x80]
    );
    assert_eq!(written(|_| ()), [0xc0]);
    assert_eq!(
        item(&|w| {
            w.u64(0);
        }),
        [0x80]
    );
    assert_eq!(
        item(&|w| {
            w.bytes(&[0]);
        }),
        [0x00]
    );
    assert_eq!(
        item(&|w| {
            w.u64(15);
        }),
        [0x0f]
    );
    assert_eq!(
        item(&|w| {
            w.u64(1024);
        }),
        [0x82, 0x04, 0x00]
    );
    let (empty, mut one, mut two) = (Writer::new(), Writer::new(), Writer::new());
    one.list(&empty);
    two.list(&empty).list(&one);
    assert_eq!(
        written(|w| {
            w.list(&empty).list(&one).list(&two);
        }),
        [0xc7, 0xc0, 0xc1, 0xc0, 0xc3, 0xc0, 0xc1, 0xc0]
    );
    let mut long = vec![0xb8, 0x38];
    long.extend_from_slice(text.as_bytes());
    assert_eq!(
        item(&|w| {
            w.bytes(text.as_bytes());
        }),
        long
    );
}

#[test]
fn lengths_around_each_limit_are_read_again() {
    for length in [0, 1, 2, 54, 55, 56, 57, 255, 256, 257, 65_535, 65_536] {
        let data = vec![0xaa; length];
        let bytes = written(|w| {
            w.bytes(&data).u64(7);
        });
        let mut items = list(&bytes);
        assert_eq!(items.bytes(), Ok(&data[..]));
        assert_eq!(items.u64(), Ok(7));
        assert_eq!(items.end(), Ok(()));
    }
}

#[test]
fn lengths_not_in_their_shortest_form_fails_closed() {
    let offset = 1;
    let refused = Err(RlpError::NotShortest { offset });
    // A byte below 0x80 with a prefix, a long form of a short string, a length with a zero in front.
    assert_eq!(list(&[0xc2, 0x81, 0x7f]).bytes(), refused);
    assert_eq!(list(&[0xc4, 0xb8, 0x02, 1, 1]).bytes(), refused);
    let mut bytes = vec![0xf8, 59, 0xb9, 0x00, 56];
    bytes.extend([1; 56]);
    assert_eq!(
        list(&bytes).bytes(),
        Err(RlpError::NotShortest { offset: 2 })
    );
    assert_eq!(
        Reader::list_of(&[0xf8, 0x01, 0x80], 0).err(),
        Some(RlpError::NotShortest { offset: 0 })
    );
    assert_eq!(list(&[0xc2, 0x81, 0x80]).bytes(), Ok(&[0x80][..]));
}

#[test]
fn truncated_at_every_byte_fails_closed() {
    let inner = {
        let mut inner = Writer::new();
        inner.bytes(&[1; 60]).u256(&U256::MAX);
        inner
    };
    let whole = written(|w| {
        w.bytes(b"dog").list(&inner);
    });
    for end in 0..whole.len() {
        assert!(
            matches!(
                Reader::list_of(&whole[..end], 0).err(),
                Some(RlpError::Truncated { offset: 0 } | RlpError::Missing { offset: 0 })
            ),
            "{end}"
        );
    }
    // Items that end after their list.
    assert_eq!(
        list(&[0xc2, 0x83, 1]).bytes(),
        Err(RlpError::Truncated { offset: 1 })
    );
    // Lengths beyond any memory, and of more than 64 bits.
    for length in [[0xff; 8].as_slice(), &[0xff; 7]] {
        let mut bytes = vec![0xc0 + 1 + length.len() as u8, 0xb7 + length.len() as u8];
        bytes.extend(length);
        assert_eq!(list(&bytes).bytes(), Err(RlpError::Truncated { offset: 1 }));
    }
}

#[test]
fn trailing_bytes_and_items_fails_closed() {
    assert_eq!(
        Reader::list_of(&[0xc0, 0, 1], 5).err(),
        Some(RlpError::Trailing {
            offset: 6,
            count: 2
        })
    );
    let mut items = list(&[0xc2, 1, 2]);
    assert_eq!(items.u64(), Ok(1));
    assert_eq!(items.end(), Err(RlpError::Items { offset: 2 }));
}

#[test]
fn missing_items_fails_closed() {
    let mut items = list(&[0xc1, 1]);
    assert_eq!(items.u64(), Ok(1));
    assert_eq!(items.u64(), Err(RlpError::Missing { offset: 2 }));
}

#[test]
fn items_of_the_wrong_kind_fails_closed() {
    let mut items = list(&[0xc2, 0xc0, 0x80]);
    assert_eq!(
        items.clone().bytes(),
        Err(RlpError::ExpectedBytes { offset: 1 })
    );
    items.list().expect("a list");
    assert_eq!(
        items.list().err(),
        Some(RlpError::ExpectedList { offset: 2 })
    );
    assert_eq!(
        Reader::list_of(b"\x83dog", 0).err(),
        Some(RlpError::ExpectedList { offset: 0 })
    );
}

#[test]
fn integers_with_leading_zeros_or_too_many_bytes_fails_closed() {
    let zero = Err(RlpError::LeadingZero { offset: 1 });
    assert_eq!(list(&[0xc1, 0]).u64(), zero);
    assert_eq!(list(&[0xc3, 0x82, 0, 1]).u64(), zero);
    let large = |found, max| RlpError::IntegerTooLarge {
        offset: 1,
        max,
        found,
    };
    let bytes = |length: usize| {
        let mut data = vec![0; length];
        data[0] = 1;
        written(|w| {
            w.bytes(&data);
        })
    };
    assert_eq!(list(&bytes(8)).u64(), Ok(1 << 56));
    assert_eq!(list(&bytes(9)).u64(), Err(large(9, 8)));
    assert_eq!(list(&bytes(16)).u128(), Ok(1 << 120));
    assert_eq!(list(&bytes(17)).u128(), Err(large(17, 16)));
    assert_eq!(list(&bytes(33)).u256(), Err(large(33, 32)));
}

#[test]
fn strings_of_another_length_fails_closed() {
    assert_eq!(
        list(b"\xc4\x83dog").array::<4>(),
        Err(RlpError::Length {
            offset: 1,
            expected: 4,
            found: 3
        })
    );
}

/// A value of any shape, to compare what was written with what is read.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Bytes(Vec<u8>),
    List(Vec<Self>),
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop::collection::vec(any::<u8>(), 0..70).prop_map(Value::Bytes);
    leaf.prop_recursive(4, 32, 8, |inner| {
        prop::collection::vec(inner, 0..8).prop_map(Value::List)
    })
}

fn write(writer: &mut Writer, value: &Value) {
    match value {
        Value::Bytes(bytes) => {
            writer.bytes(bytes);
        }
        Value::List(items) => {
            let mut list = Writer::new();
            items.iter().for_each(|item| write(&mut list, item));
            writer.list(&list);
        }
    }
}

fn read(items: &mut Reader<'_>) -> Result<Vec<Value>, RlpError> {
    let mut values = Vec::new();
    while !items.is_empty() {
        let mut ahead = items.clone();
        values.push(match ahead.bytes() {
            Ok(bytes) => {
                *items = ahead;
                Value::Bytes(bytes.to_vec())
            }
            Err(RlpError::ExpectedBytes { .. }) => Value::List(read(&mut items.list()?)?),
            Err(error) => return Err(error),
        });
    }
    Ok(values)
}

proptest! {
    #[test]
    fn what_is_written_is_read(items in prop::collection::vec(values(), 0..6)) {
        let bytes = written(|w| items.iter().for_each(|item| write(w, item)));
        prop_assert_eq!(read(&mut list(&bytes)), Ok(items));
    }

    /// One encoding: whatever is read, however changed, is written as the very same bytes.
    #[test]
    fn what_is_read_is_written_the_same(
        items in prop::collection::vec(values(), 0..6), at in any::<prop::sample::Index>(), to in any::<u8>(),
    ) {
        let mut bytes = written(|w| items.iter().for_each(|item| write(w, item)));
        let at = at.index(bytes.len());
        bytes[at] = to;
        if let Ok(values) = Reader::list_of(&bytes, 0).and_then(|mut items| read(&mut items)) {
            prop_assert_eq!(written(|w| values.iter().for_each(|item| write(w, item))), bytes);
        }
    }

    #[test]
    fn integers_are_read_again(small: u64, middle: u128, large: [u8; 32], shift in 0u32..128) {
        let (small, middle, large) = (small >> (shift % 64), middle >> shift, U256::from_be_bytes(&large));
        let bytes = written(|w| { w.u64(small).u128(middle).u256(&large); });
        let mut items = list(&bytes);
        prop_assert_eq!(items.u64(), Ok(small));
        prop_assert_eq!(items.u128(), Ok(middle));
        prop_assert_eq!(items.u256(), Ok(large));
    }
}
