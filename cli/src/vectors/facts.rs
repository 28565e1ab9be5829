//! What a manifest says of an accepted document, compared with what was verified.
//!
//! Guarantees: each fact that the manifest has is compared; a fact it does not have is not. The
//! document was verified before, so its form is read here without a second judgement.

use minicbor::Decoder;
use minicbor::data::Type;
use quorate_verify::attestation::{Attested, Pcr};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::Difference;
use super::manifest::{Fields, ManifestError, unhex};
use crate::moment::unix_ms;
use crate::output::hex;

/// Half the order of P-384, rounded down: *s* above it is the higher of two.
const HALF_ORDER: [u8; 48] = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xe3, 0xb1, 0xa6, 0xc0, 0xfa, 0x1b, 0x96, 0xef,
    0xac, 0x0d, 0x06, 0xd9, 0x24, 0x58, 0x53, 0xbd, 0x76, 0x76, 0x0c, 0xb5, 0x66, 0x62, 0x94, 0xb9,
];

/// The facts of one row. `None` stands for a fact that the manifest does not have.
#[derive(Debug, Default)]
pub(super) struct Facts {
    module_id: Option<String>,
    timestamp_ms: Option<u64>,
    timestamp: Option<Time>,
    valid_from: Option<Time>,
    valid_to: Option<Time>,
    pcrs: Option<Vec<(String, Pcr)>>,
    debug_mode: Option<bool>,
    public_key: Option<Bytes>,
    user_data: Option<Bytes>,
    nonce: Option<Bytes>,
    high_s: Option<bool>,
    /// The outer `None`: nothing is said. The inner one: there is no tag.
    cose_tag: Option<Option<u64>>,
    payload_indefinite: Option<Vec<String>>,
    keys: Option<Vec<String>>,
    region: Option<String>,
    chain: Option<Vec<Link>>,
}

/// One certificate of the chain.
#[derive(Debug)]
struct Link {
    subject: Option<String>,
    not_before: Option<Time>,
    not_after: Option<Time>,
    sha256: Option<String>,
    der_len: Option<u64>,
}

/// A point in time, in milliseconds since 1970, and how it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Time {
    ms: u64,
    text: String,
}

/// An optional field of the document, as far as the manifest has it.
#[derive(Debug, PartialEq, Eq)]
enum Bytes {
    Null,
    Whole(Vec<u8>),
    /// A long one.
    Digest {
        length: usize,
        sha256: [u8; 32],
    },
}

impl Facts {
    pub(super) fn parse(mut fields: Fields<'_>) -> Result<Self, ManifestError> {
        let facts = Self {
            module_id: fields.text("module_id")?,
            timestamp_ms: fields.number("timestamp_ms")?,
            timestamp: time(&mut fields, "timestamp")?,
            valid_from: time(&mut fields, "valid_from")?,
            valid_to: time(&mut fields, "valid_to")?,
            pcrs: pcrs(&mut fields)?,
            debug_mode: fields.flag("debug_mode")?,
            public_key: bytes(&mut fields, "public_key")?,
            user_data: bytes(&mut fields, "user_data")?,
            nonce: bytes(&mut fields, "nonce")?,
            high_s: fields.flag("high_s")?,
            cose_tag: tag(&mut fields)?,
            payload_indefinite: fields.texts("payload_indefinite")?,
            keys: fields.texts("keys")?,
            region: fields.text("region")?,
            chain: chain(&mut fields)?,
        };
        fields.end();
        Ok(facts)
    }

    /// Adds every fact that is another.
    pub(super) fn compare(
        &self,
        bytes: &[u8],
        attested: &Attested,
        differences: &mut Vec<Difference>,
    ) {
        let mut compared = Compared(differences);
        let document = attested.document();
        compared.text("module_id", self.module_id.as_deref(), document.module_id());
        let timestamp_ms = document.timestamp_ms();
        compared.shown("timestamp_ms", self.timestamp_ms, timestamp_ms);
        compared.time("timestamp", self.timestamp.as_ref(), timestamp_ms);
        if let Some(leaf) = attested.certificates().last() {
            let ms = |seconds: u64| seconds.saturating_mul(1000);
            compared.time(
                "valid_from",
                self.valid_from.as_ref(),
                ms(leaf.not_before()),
            );
            compared.time("valid_to", self.valid_to.as_ref(), ms(leaf.not_after()));
            compared.text("region", self.region.as_deref(), region(leaf.subject()));
        }
        if let Some(pcrs) = &self.pcrs {
            compare_pcrs(pcrs, attested, &mut compared);
        }
        compared.shown("debug_mode", self.debug_mode, attested.is_debug());
        for (name, expected, found) in [
            ("public_key", &self.public_key, document.public_key()),
            ("user_data", &self.user_data, document.user_data()),
            ("nonce", &self.nonce, document.nonce()),
        ] {
            if let Some(expected) = expected
                && !expected.is(found)
            {
                compared.add(name, expected.to_string(), describe(found));
            }
        }
        self.compare_form(bytes, &mut compared);
        if let Some(chain) = &self.chain {
            compare_chain(chain, attested, &mut compared);
        }
    }

    /// How the document is written.
    fn compare_form(&self, bytes: &[u8], compared: &mut Compared<'_>) {
        // It was verified, so it has this form.
        let Ok(form) = Form::of(bytes) else {
            compared.add("form", "a COSE_Sign1", "none");
            return;
        };
        compared.shown("high_s", self.high_s, form.high_s);
        if let Some(tag) = self.cose_tag
            && tag != form.tag
        {
            let shown = |tag: Option<u64>| tag.map_or("null".to_owned(), |tag| tag.to_string());
            compared.add("cose_tag", shown(tag), shown(form.tag));
        }
        let lists = [
            (
                "payload_indefinite",
                &self.payload_indefinite,
                form.indefinite,
            ),
            ("keys", &self.keys, form.keys),
        ];
        for (name, expected, found) in lists {
            if let Some(expected) = expected
                && *expected != found
            {
                compared.add(name, expected.join(" "), found.join(" "));
            }
        }
    }
}

fn compare_pcrs(pcrs: &[(String, Pcr)], attested: &Attested, compared: &mut Compared<'_>) {
    let found = attested.document().pcrs();
    for (index, pcr) in pcrs {
        let value = index.parse().ok().and_then(|index| found.get(index));
        if value != Some(pcr) {
            let value = value.map_or("missing".to_owned(), ToString::to_string);
            compared.add(&format!("pcrs.{index}"), pcr.to_string(), value);
        }
    }
    let (expected, found) = (pcrs.len(), found.len());
    if expected != found {
        compared.add("pcrs", expected.to_string(), found.to_string());
    }
}

fn compare_chain(chain: &[Link], attested: &Attested, compared: &mut Compared<'_>) {
    let (document, found) = (attested.document(), attested.certificates());
    if chain.len() != found.len() {
        compared.add("chain", chain.len().to_string(), found.len().to_string());
        return;
    }
    let bundle = document.cabundle().iter().map(Vec::len);
    let lengths = bundle.chain([document.certificate().len()]);
    for (place, ((link, facts), length)) in chain.iter().zip(found).zip(lengths).enumerate() {
        let name = |field: &str| format!("chain.{place}.{field}");
        let ms = |seconds: u64| seconds.saturating_mul(1000);
        let before = link.not_before.as_ref();
        compared.text(&name("subject"), link.subject.as_deref(), facts.subject());
        compared.time(&name("not_before"), before, ms(facts.not_before()));
        let after = link.not_after.as_ref();
        compared.time(&name("not_after"), after, ms(facts.not_after()));
        let sha256 = hex(facts.sha256());
        compared.text(&name("sha256"), link.sha256.as_deref(), &sha256);
        compared.shown(&name("der_len"), link.der_len, length as u64);
    }
}

/// The differences found so far, and short ways to add one.
struct Compared<'a>(&'a mut Vec<Difference>);

impl Compared<'_> {
    fn add(&mut self, field: &str, expected: impl Into<String>, found: impl Into<String>) {
        self.0
            .push(Difference::new(format!("facts.{field}"), expected, found));
    }

    fn text(&mut self, field: &str, expected: Option<&str>, found: &str) {
        if let Some(expected) = expected
            && expected != found
        {
            self.add(field, expected, found);
        }
    }

    fn shown<T: PartialEq + ToString>(&mut self, field: &str, expected: Option<T>, found: T) {
        if let Some(expected) = expected
            && expected != found
        {
            self.add(field, expected.to_string(), found.to_string());
        }
    }

    fn time(&mut self, field: &str, expected: Option<&Time>, found_ms: u64) {
        if let Some(expected) = expected
            && expected.ms != found_ms
        {
            let at = quorate_protocol::atoms::UnixMillis(found_ms);
            let found = quorate_twins::rfc3339(at).unwrap_or_else(|| format!("{found_ms} ms"));
            self.add(field, expected.text.clone(), found);
        }
    }
}

impl Bytes {
    /// `null`, hexadecimal, or `LENGTH bytes sha256:HEX`.
    fn parse(text: &str) -> Option<Self> {
        if text == "null" {
            return Some(Self::Null);
        }
        if let Some((length, digest)) = text.split_once(" bytes sha256:") {
            return Some(Self::Digest {
                length: length.parse().ok()?,
                sha256: unhex(digest)?.try_into().ok()?,
            });
        }
        unhex(text).map(Self::Whole)
    }

    fn is(&self, found: Option<&[u8]>) -> bool {
        match (self, found) {
            (Self::Null, None) => true,
            (Self::Whole(bytes), Some(found)) => bytes == found,
            (Self::Digest { length, sha256 }, Some(found)) => {
                *length == found.len() && *sha256 == <[u8; 32]>::from(Sha256::digest(found))
            }
            _ => false,
        }
    }
}

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Whole(bytes) => f.write_str(&describe(Some(bytes))),
            Self::Digest { length, sha256 } => write!(f, "{length} bytes sha256:{}", hex(sha256)),
        }
    }
}

/// A field as the manifest writes it.
fn describe(field: Option<&[u8]>) -> String {
    match field {
        None => "null".to_owned(),
        Some(bytes) if bytes.len() > 64 => {
            let digest = hex(&Sha256::digest(bytes));
            format!("{} bytes sha256:{digest}", bytes.len())
        }
        Some(bytes) => hex(bytes),
    }
}

/// The label after the module id in the leaf's common name: `us-east-1` in
/// `CN=i-….us-east-1.aws,…`.
fn region(subject: &str) -> &str {
    let mut parts = subject.split(',');
    let name = parts.find_map(|part| part.strip_prefix("CN="));
    name.and_then(|name| name.split('.').nth(1)).unwrap_or("")
}

/// How a document is written, beside what it says.
struct Form {
    tag: Option<u64>,
    indefinite: Vec<String>,
    keys: Vec<String>,
    high_s: bool,
}

impl Form {
    fn of(bytes: &[u8]) -> Result<Self, minicbor::decode::Error> {
        let mut outer = Decoder::new(bytes);
        let tag = match outer.datatype()? {
            Type::Tag => Some(outer.tag()?.as_u64()),
            _ => None,
        };
        outer.array()?;
        outer.skip()?;
        outer.skip()?;
        let payload = outer.bytes()?;
        let signature = outer.bytes()?;

        let mut keys = Vec::new();
        let mut indefinite = Vec::new();
        let mut inner = Decoder::new(payload);
        let mut left = inner.map()?;
        if left.is_none() {
            indefinite.push("/".to_owned());
        }
        while left != Some(0) && inner.datatype()? != Type::Break {
            let key = inner.str()?;
            keys.push(key.to_owned());
            if matches!(inner.datatype()?, Type::MapIndef | Type::ArrayIndef) {
                indefinite.push(format!("/{key}"));
            }
            inner.skip()?;
            left = left.map(|left| left.saturating_sub(1));
        }
        let s = signature.get(48..).unwrap_or_default();
        Ok(Self {
            tag,
            indefinite,
            keys,
            high_s: s > &HALF_ORDER[..],
        })
    }
}

fn pcrs(fields: &mut Fields<'_>) -> Result<Option<Vec<(String, Pcr)>>, ManifestError> {
    let Some(object) = fields.object("pcrs")? else {
        return Ok(None);
    };
    let pcr = |(index, value): (&String, &Value)| {
        let number: u8 = index.parse().ok().filter(|index: &u8| *index < 32)?;
        let pcr = value.as_str().and_then(Pcr::from_hex)?;
        Some((number.to_string(), pcr))
    };
    let pcrs: Option<Vec<_>> = object.iter().map(pcr).collect();
    let wrong = "registers by index, 0 to 31, each 96 hexadecimal digits";
    pcrs.map(Some).ok_or_else(|| fields.wrong("pcrs", wrong))
}

fn tag(fields: &mut Fields<'_>) -> Result<Option<Option<u64>>, ManifestError> {
    match (fields.has("cose_tag"), fields.number("cose_tag")?) {
        (false, _) => Ok(None),
        (true, tag) => Ok(Some(tag)),
    }
}

fn bytes(fields: &mut Fields<'_>, name: &'static str) -> Result<Option<Bytes>, ManifestError> {
    // JSON's null says the same as the text.
    if fields.has(name) && fields.value(name).is_none() {
        return Ok(Some(Bytes::Null));
    }
    let Some(text) = fields.text(name)? else {
        return Ok(None);
    };
    let wrong = "null, hexadecimal digits, or LENGTH bytes sha256:HEX";
    Bytes::parse(&text)
        .map(Some)
        .ok_or_else(|| fields.wrong(name, wrong))
}

fn time(fields: &mut Fields<'_>, name: &'static str) -> Result<Option<Time>, ManifestError> {
    let Some(text) = fields.text(name)? else {
        return Ok(None);
    };
    match unix_ms(&text) {
        Some(ms) => Ok(Some(Time { ms, text })),
        None => Err(fields.wrong(name, "a time such as 2026-01-03T20:41:07+00:00")),
    }
}

fn chain(fields: &mut Fields<'_>) -> Result<Option<Vec<Link>>, ManifestError> {
    let Some(value) = fields.value("chain") else {
        return Ok(None);
    };
    let wrong = "a list of certificates, each an object";
    let objects: Option<Vec<Map<_, _>>> = value
        .as_array()
        .and_then(|links| links.iter().map(|link| link.as_object().cloned()).collect());
    let objects = objects.ok_or_else(|| fields.wrong("chain", wrong))?;
    let links = objects.iter().map(|object| {
        let mut inner = fields.inner("chain", object);
        let link = Link {
            subject: inner.text("subject")?,
            not_before: time(&mut inner, "not_before")?,
            not_after: time(&mut inner, "not_after")?,
            sha256: inner.digest("sha256")?,
            der_len: inner.number("der_len")?,
        };
        inner.end();
        Ok(link)
    });
    links.collect::<Result<_, _>>().map(Some)
}

#[cfg(test)]
mod tests;
