//! A document out of whatever a person has in a file: raw bytes, Base64 or hexadecimal.
//!
//! Guarantees: the result is exactly the bytes that the file stands for, or a sentence that says
//! what it holds instead and what was expected. Both text forms are strict, apart from white space
//! and line breaks; Base64 may have either alphabet of RFC 4648, and padding or none.
//!
//! Does not: look into the document. A document begins with a byte that no text has, so nothing can
//! be read in two ways.

use base64ct::{Base64Unpadded, Encoding as _};
use thiserror::Error;

/// What a file holds a document as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InputForm {
    /// Found out from the file.
    #[default]
    Auto,
    /// The bytes themselves.
    Raw,
    /// Base64, either alphabet.
    Base64,
    /// Hexadecimal digits.
    Hex,
}

/// Why a file holds no document, whatever the bytes mean.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InputError {
    /// No strict Base64.
    #[error("the text is not Base64")]
    Base64,
    /// Nothing, or only white space.
    #[error("the file is empty")]
    Empty,
    /// No strict hexadecimal.
    #[error("the text is not hexadecimal with an even number of digits")]
    Hex,
    /// A web page.
    #[error("the file is a web page, not a document")]
    Html,
    /// Headers and all.
    #[error("the file is a whole HTTP response, headers included")]
    HttpResponse,
    /// JSON, with the document in one of its fields at best.
    #[error("the file is JSON, not a document")]
    Json,
    /// A certificate or key.
    #[error("the file is PEM: a certificate or a key, not a document")]
    Pem,
    /// Text of no known form.
    #[error("the file is text, but neither Base64 nor hexadecimal")]
    Text,
}

impl InputError {
    /// A stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Base64 => "input-base64",
            Self::Empty => "input-empty",
            Self::Hex => "input-hex",
            Self::Html => "input-html",
            Self::HttpResponse => "input-http-response",
            Self::Json => "input-json",
            Self::Pem => "input-pem",
            Self::Text => "input-text",
        }
    }

    /// What was expected, and how to come by it.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Base64 => {
                "Expected one attestation document as Base64 and nothing else. Was a part lost, or \
                 something added? --input auto finds out what a file holds."
            }
            Self::Empty => {
                "Expected one attestation document: raw bytes, Base64 or hexadecimal. Fetch it \
                 again; whoever wrote this file wrote nothing."
            }
            Self::Hex => {
                "Expected one attestation document as hexadecimal digits and nothing else. Was a \
                 part lost? --input auto finds out what a file holds."
            }
            Self::Html => {
                "Expected one attestation document: raw bytes, Base64 or hexadecimal. Look at the \
                 page in a browser: it is probably an error message of the server."
            }
            Self::HttpResponse => {
                "Expected the body alone: one attestation document as raw bytes, Base64 or \
                 hexadecimal. With curl, leave out -i and write the body with --output FILE."
            }
            Self::Json => {
                "Expected one attestation document: raw bytes, Base64 or hexadecimal. Take the \
                 document out of the JSON, without its quotes, into a file of its own."
            }
            Self::Pem => {
                "Expected one attestation document: raw bytes, Base64 or hexadecimal. A root \
                 certificate to trust is passed with --root."
            }
            Self::Text => {
                "Expected one attestation document: raw bytes, Base64 or hexadecimal. If it was \
                 copied as text, raw bytes do not survive that; fetch them into a file."
            }
        }
    }
}

/// The document in a file.
///
/// # Errors
///
/// What the file holds instead.
pub fn document(file: &[u8], form: InputForm) -> Result<Vec<u8>, InputError> {
    let text = plain_text(file);
    if text.is_some_and(str::is_empty) {
        return Err(InputError::Empty);
    }
    if file.starts_with(b"HTTP/") {
        return Err(InputError::HttpResponse);
    }
    match (form, text) {
        (InputForm::Raw, _) | (InputForm::Auto, None) => Ok(file.to_vec()),
        (InputForm::Hex, Some(text)) => hex(text).ok_or_else(|| known(text, InputError::Hex)),
        (InputForm::Base64, Some(text)) => {
            base64(text).ok_or_else(|| known(text, InputError::Base64))
        }
        (InputForm::Hex, None) => Err(InputError::Hex),
        (InputForm::Base64, None) => Err(InputError::Base64),
        (InputForm::Auto, Some(text)) => {
            let decoded = hex(text).or_else(|| base64(text));
            decoded.ok_or_else(|| known(text, InputError::Text))
        }
    }
}

/// The file as text, if it is one: printable ASCII and white space, without what stands around it.
fn plain_text(file: &[u8]) -> Option<&str> {
    const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
    let file = file.strip_prefix(BYTE_ORDER_MARK).unwrap_or(file);
    let plain = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    let text = file.iter().all(plain).then_some(file)?;
    std::str::from_utf8(text).ok().map(str::trim)
}

/// What a text is that could not be decoded.
fn known(text: &str, otherwise: InputError) -> InputError {
    if text.starts_with("-----BEGIN") {
        InputError::Pem
    } else if text.starts_with(['{', '[', '"']) {
        InputError::Json
    } else if text.starts_with('<') {
        InputError::Html
    } else {
        otherwise
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let text = text.strip_prefix("0x").unwrap_or(text);
    let digit = |character: char| character.to_digit(16).and_then(|d| u8::try_from(d).ok());
    let spaceless = text.chars().filter(|c| !c.is_ascii_whitespace());
    let digits: Vec<u8> = spaceless.map(digit).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    let whole = pairs.remainder().is_empty() && !digits.is_empty();
    whole.then(|| pairs.map(|pair| pair[0] << 4 | pair[1]).collect())
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let mut standard: String = text
        .chars()
        .filter(|character| !character.is_ascii_whitespace())
        .map(|character| match character {
            '-' => '+',
            '_' => '/',
            other => other,
        })
        .collect();
    let padded = standard.len();
    let padding = standard.chars().rev().take_while(|c| *c == '=').count();
    if padding > 0 && (padding > 2 || !padded.is_multiple_of(4)) {
        return None;
    }
    standard.truncate(padded - padding);
    // One alphabet at a time.
    if text.contains(['-', '_']) && text.contains(['+', '/']) {
        return None;
    }
    Base64Unpadded::decode_vec(&standard).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Begins as every document does.
    const DOCUMENT: &[u8] = b"\x84\x44\xa1\x01\x38\x22\xa0\xfb\xff";

    #[test]
    fn every_form_is_found() {
        for text in [
            "hEShATgioPv/",
            "hEShATgioPv_",
            " hESh\r\nATgi\noPv/ \n",
            "8444a1013822a0fbff",
            "0x8444A1013822A0FBFF\n",
            "84 44 a1 01 38 22 a0 fb ff",
            "\u{feff}8444a1013822a0fbff",
        ] {
            assert_eq!(
                document(text.as_bytes(), InputForm::Auto),
                Ok(DOCUMENT.to_vec()),
                "{text}"
            );
        }
        assert_eq!(document(DOCUMENT, InputForm::Auto), Ok(DOCUMENT.to_vec()));
        assert_eq!(document(DOCUMENT, InputForm::Raw), Ok(DOCUMENT.to_vec()));
        let padded = |text: &str| document(text.as_bytes(), InputForm::Base64);
        assert_eq!(padded("hEQ="), Ok(vec![0x84, 0x44]));
        assert_eq!(padded("hEQ"), Ok(vec![0x84, 0x44]));
        assert_eq!(padded("hA=="), Ok(vec![0x84]));
        // Hexadecimal digits are Base64 too; here the person says which.
        assert_eq!(padded("8444"), Ok(vec![0xf3, 0x8e, 0x38]));
        assert_eq!(document(b"8444", InputForm::Raw), Ok(b"8444".to_vec()));
    }

    #[test]
    fn files_that_hold_no_document_fail_closed() {
        use InputError as E;
        use InputForm as F;
        for (file, form, error) in [
            (&b""[..], F::Auto, E::Empty),
            (b" \r\n\t", F::Raw, E::Empty),
            (b"\xef\xbb\xbf", F::Base64, E::Empty),
            (b"HTTP/1.1 200 OK\r\n\r\n\x84\x44", F::Auto, E::HttpResponse),
            (b"HTTP/2 200\r\n\r\nhEShATgi", F::Base64, E::HttpResponse),
            (b"{\"document\":\"hEShATgi\"}", F::Auto, E::Json),
            (b"\"hEShATgi\"", F::Base64, E::Json),
            (b"-----BEGIN CERTIFICATE-----\n", F::Auto, E::Pem),
            (b"<!doctype html>", F::Hex, E::Html),
            (b"no document here!", F::Auto, E::Text),
            (b"hEShATgi=", F::Auto, E::Text),
            (b"hEQ==", F::Base64, E::Base64),
            (b"hER=", F::Base64, E::Base64),
            (b"h===", F::Base64, E::Base64),
            (b"hE+_", F::Base64, E::Base64),
            (b"hE=h", F::Base64, E::Base64),
            (DOCUMENT, F::Base64, E::Base64),
            (DOCUMENT, F::Hex, E::Hex),
            (b"844", F::Hex, E::Hex),
            (b"0x", F::Hex, E::Hex),
            (b"84 4g", F::Hex, E::Hex),
        ] {
            assert_eq!(
                document(file, form),
                Err(error),
                "{}",
                String::from_utf8_lossy(file)
            );
        }
    }

    #[test]
    fn every_reason_says_what_was_expected() {
        use InputError as E;
        for error in [
            E::Base64,
            E::Empty,
            E::Hex,
            E::Html,
            E::HttpResponse,
            E::Json,
            E::Pem,
            E::Text,
        ] {
            assert!(error.remedy().starts_with("Expected "), "{error:?}");
            assert!(error.code().starts_with("input-"), "{error:?}");
        }
    }
}
