//! A certificate from a file: PEM (RFC 7468) or DER.
//!
//! Guarantees: the result is the bytes of exactly one certificate's encoding, or a reason. A file
//! with two certificates is refused: which one would be trusted? Base64 is strict (RFC 4648 §4):
//! no other alphabet, padding present, unused bits zero.
//!
//! Does not: look into the certificate. Whoever takes it as a root parses it in full.

use thiserror::Error;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// First byte of every DER certificate: a SEQUENCE.
const SEQUENCE: u8 = 0x30;

/// Why a file is not one certificate.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum PemError {
    /// The text between the marks is not Base64.
    #[error("line {line} is not strict Base64")]
    Base64 {
        /// Which line, from 1.
        line: usize,
    },
    /// The file is neither DER nor PEM.
    #[error("it is neither a certificate in DER nor one in PEM (-----BEGIN CERTIFICATE-----)")]
    NoCertificate,
    /// The end mark is missing.
    #[error("the certificate has no -----END CERTIFICATE----- line")]
    NoEnd,
    /// There is something beside the certificate.
    #[error("line {line} stands outside the certificate; the file must hold one and nothing else")]
    Outside {
        /// Which line, from 1.
        line: usize,
    },
}

/// The DER of the one certificate in a file.
pub(crate) fn certificate(file: &[u8]) -> Result<Vec<u8>, PemError> {
    if file.first() == Some(&SEQUENCE) {
        return Ok(file.to_vec());
    }
    let text = std::str::from_utf8(file).map_err(|_| PemError::NoCertificate)?;
    let mut lines = (1..).zip(text.lines().map(str::trim_end));
    let found = lines.by_ref().find(|(_, line)| !line.is_empty());
    match found {
        Some((_, BEGIN)) => {}
        _ => return Err(PemError::NoCertificate),
    }
    let mut der = Vec::with_capacity(file.len() / 4 * 3);
    let mut closed = false;
    let mut quantum = Quantum::default();
    for (line, content) in lines.by_ref() {
        if content == END {
            closed = true;
            quantum.end().ok_or(PemError::Base64 { line })?;
            break;
        }
        for byte in content.bytes() {
            quantum
                .push(byte, &mut der)
                .ok_or(PemError::Base64 { line })?;
        }
    }
    if !closed {
        return Err(PemError::NoEnd);
    }
    match lines.find(|(_, line)| !line.is_empty()) {
        Some((line, _)) => Err(PemError::Outside { line }),
        None if der.is_empty() => Err(PemError::NoCertificate),
        None => Ok(der),
    }
}

/// Four characters on their way to three bytes.
#[derive(Default)]
struct Quantum {
    bits: u32,
    characters: u8,
    padding: u8,
    finished: bool,
}

impl Quantum {
    /// Takes one character; `None` if it may not stand here.
    fn push(&mut self, byte: u8, out: &mut Vec<u8>) -> Option<()> {
        if self.finished {
            return None;
        }
        let value = match byte {
            b'=' if self.characters >= 2 => {
                self.padding += 1;
                0
            }
            _ if self.padding > 0 => return None,
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        self.bits = self.bits << 6 | u32::from(value);
        self.characters += 1;
        if self.characters < 4 {
            return Some(());
        }
        let [_, bytes @ ..] = self.bits.to_be_bytes();
        let (kept, unused) = bytes.split_at(3 - usize::from(self.padding));
        if unused.iter().any(|byte| *byte != 0) {
            return None;
        }
        out.extend_from_slice(kept);
        *self = Self {
            finished: self.padding > 0,
            ..Self::default()
        };
        Some(())
    }

    /// Whether the text may end here.
    fn end(&self) -> Option<()> {
        (self.characters == 0).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(body: &str) -> Vec<u8> {
        format!("{BEGIN}\n{body}\n{END}\n").into_bytes()
    }

    /// The test vectors of RFC 4648 §10.
    #[test]
    fn base64_of_rfc_4648() {
        for (encoded, plain) in [
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9v\nYmE=", "fooba"),
            ("Zm9v\r\nYmFy", "foobar"),
        ] {
            assert_eq!(
                certificate(&pem(encoded)),
                Ok(plain.as_bytes().to_vec()),
                "{encoded}"
            );
        }
    }

    #[test]
    fn der_is_taken_as_it_is() {
        assert_eq!(certificate(&[0x30, 0x01, 0xff]), Ok(vec![0x30, 0x01, 0xff]));
    }

    #[test]
    fn loose_base64_fails_closed() {
        for body in [
            "Zg=", "Zg", "Zh==", "Zm9=", "Zm9v=", "Zg==Zg==", "=Zg=", "Z===", "Zm 9v", "Zm9_",
        ] {
            assert!(
                matches!(certificate(&pem(body)), Err(PemError::Base64 { .. })),
                "{body}"
            );
        }
    }

    #[test]
    fn anything_beside_one_certificate_fails_closed() {
        let one = pem("Zm9v");
        let two = [one.clone(), one].concat();
        assert_eq!(certificate(&two), Err(PemError::Outside { line: 4 }));
        assert_eq!(certificate(b""), Err(PemError::NoCertificate));
        assert_eq!(certificate(b"hello\n"), Err(PemError::NoCertificate));
        assert_eq!(certificate(&[0xff, 0xfe]), Err(PemError::NoCertificate));
        assert_eq!(certificate(&pem("")), Err(PemError::NoCertificate));
        assert_eq!(
            certificate(format!("{BEGIN}\nZm9v\n").as_bytes()),
            Err(PemError::NoEnd)
        );
        let key = b"-----BEGIN PRIVATE KEY-----\nZm9v\n-----END PRIVATE KEY-----\n";
        assert_eq!(certificate(key), Err(PemError::NoCertificate));
    }
}
