//! A backup as a QR code (ISO/IEC 18004): for a terminal, as a picture, and read back.
//!
//! The code holds the text `QUORATE:SHARE:1:` and the 66 characters of the rows without their
//! parity; a QR code of level M brings its own, which repairs about a seventh of its area. 82
//! characters of its alphanumeric alphabet make a code of version 4: 33 modules a side, 41 with the
//! quiet zone, so that it fits a terminal of 80 by 24.
//!
//! Guarantees: a picture of any size and content ends in a backup or an error; at most 32 MiB of
//! file and 32 million pixels are looked at. A picture with two different backups is refused.
//!
//! Does not: read anything but PNG, or wipe what the encoder and the reader of QR codes, which are
//! other people's, leave in memory.

use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, Encoder, Limits, Transformations};
use qrcodegen::{QrCode, QrCodeEcc, QrSegment, Version};
use rqrr::PreparedImage;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::alphabet::{character, value};
use crate::bits::{SYMBOLS, join, split};
use crate::payload::{Backup, BackupError};

/// What stands before the characters: what this is, and the version of the layout.
const PREFIX: &str = "QUORATE:SHARE:1:";
/// Light modules around the code that readers need.
const QUIET: u8 = 4;
/// Pixels of a module's side in a picture.
const PIXELS: u8 = 8;
/// Largest picture that is read, in bytes.
pub const MAX_FILE: usize = 32 * 1024 * 1024;
/// Most pixels of a picture that is read.
const MAX_PIXELS: usize = 32 * 1024 * 1024;

/// Why a picture or text holds no backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum QrError {
    /// The code was read; its content is no backup.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The code is not one of ours.
    #[error("the QR code is not the backup of a share")]
    Foreign,
    /// No PNG, or a damaged one.
    #[error("this is no picture in PNG, or it is damaged")]
    Image,
    /// No code was found.
    #[error("there is no QR code in the picture")]
    Nothing,
    /// Two different backups.
    #[error("there are two different backups in the picture")]
    Several,
    /// The picture is too large.
    #[error("the picture has more than {MAX_PIXELS} pixels or {MAX_FILE} bytes")]
    TooLarge,
    /// A code was found that cannot be read.
    #[error("there is a QR code in the picture, but it cannot be read")]
    Unreadable,
}

/// A backup as modules, dark and light, the quiet zone included.
pub struct Code(QrCode);

impl Backup {
    /// The QR code.
    ///
    /// # Errors
    /// [`QrError::Foreign`] if it did not fit a code, which no backup does.
    pub fn qr(&self) -> Result<Code, QrError> {
        let segments = [QrSegment::make_alphanumeric(&self.qr_text())];
        let (least, most, level) = (Version::MIN, Version::MAX, QrCodeEcc::Medium);
        let code = QrCode::encode_segments_advanced(&segments, level, least, most, None, true);
        code.map(Code).map_err(|_| QrError::Foreign)
    }

    /// What the QR code holds.
    #[must_use]
    pub fn qr_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + SYMBOLS));
        text.push_str(PREFIX);
        for symbol in split::<SYMBOLS>(&self.to_bits(), 5).iter() {
            text.push(character(u8::try_from(*symbol).unwrap_or_default()));
        }
        text
    }

    /// Reads what a QR code holds.
    ///
    /// # Errors
    /// [`QrError::Foreign`], [`QrError::Backup`].
    pub fn from_qr_text(text: &str) -> Result<Self, QrError> {
        let characters = text.strip_prefix(PREFIX).ok_or(QrError::Foreign)?;
        if characters.len() != SYMBOLS {
            return Err(QrError::Foreign);
        }
        let mut symbols = Zeroizing::new([0; SYMBOLS]);
        for (space, character) in symbols.iter_mut().zip(characters.chars()) {
            *space = u16::from(value(character).ok_or(QrError::Foreign)?);
        }
        let bits = join(&*symbols, 5).ok_or(QrError::Foreign)?;
        Ok(Self::from_bits(&bits)?)
    }

    /// Reads the QR code in a picture, a PNG. It may be turned and need not be alone; the codes of
    /// others beside it are passed over.
    ///
    /// # Errors
    /// [`QrError`].
    pub fn from_png(file: &[u8]) -> Result<Self, QrError> {
        let picture = Picture::decode(file)?;
        let mut image =
            PreparedImage::prepare_from_greyscale(picture.width, picture.height, |x, y| {
                picture.grey(x, y)
            });
        let (mut found, mut failure) = (None::<Zeroizing<String>>, QrError::Nothing);
        for grid in image.detect_grids() {
            let Ok((_, text)) = grid.decode() else {
                failure = QrError::Unreadable;
                continue;
            };
            let text = Zeroizing::new(text);
            if !text.starts_with(PREFIX) {
                if failure == QrError::Nothing {
                    failure = QrError::Foreign;
                }
            } else if found.as_ref().is_some_and(|known| *known != text) {
                return Err(QrError::Several);
            } else {
                found = Some(text);
            }
        }
        Self::from_qr_text(&found.ok_or(failure)?)
    }
}

impl Code {
    /// Modules of a side, with the quiet zone.
    #[must_use]
    pub fn side(&self) -> usize {
        let side = usize::try_from(self.0.size()).unwrap_or_default();
        side.saturating_add(2 * usize::from(QUIET))
    }

    /// Whether a module is dark. Outside it is light.
    fn is_dark(&self, x: usize, y: usize) -> bool {
        let inner = |at: usize| i32::try_from(at).map(|at| at - i32::from(QUIET));
        matches!((inner(x), inner(y)), (Ok(x), Ok(y)) if self.0.get_module(x, y))
    }

    /// Lines for a terminal that shows dark on light, two modules in one character.
    #[must_use]
    pub fn half_blocks(&self) -> Zeroizing<String> {
        let row = |y: usize| {
            let pair = move |x| (self.is_dark(x, y), self.is_dark(x, y.saturating_add(1)));
            (0..self.side()).map(move |x| match pair(x) {
                (false, false) => ' ',
                (true, false) => '▀',
                (false, true) => '▄',
                (true, true) => '█',
            })
        };
        self.lines((0..self.side()).step_by(2).map(row))
    }

    /// The same with nothing but `#` and spaces, two characters a module.
    #[must_use]
    pub fn ascii(&self) -> Zeroizing<String> {
        let row = |y: usize| {
            (0..self.side()).flat_map(move |x| {
                let module = if self.is_dark(x, y) { '#' } else { ' ' };
                [module; 2]
            })
        };
        self.lines((0..self.side()).map(row))
    }

    fn lines(&self, rows: impl Iterator<Item = impl Iterator<Item = char>>) -> Zeroizing<String> {
        let room = self.side().saturating_mul(self.side()).saturating_mul(3);
        let mut text = Zeroizing::new(String::with_capacity(room));
        for row in rows {
            text.extend(row);
            text.push('\n');
        }
        text
    }

    /// The dark modules as the path of an SVG, one unit a module.
    pub(crate) fn svg_path(&self) -> Zeroizing<String> {
        use core::fmt::Write as _;
        let mut path = Zeroizing::new(String::with_capacity(32 * 1024));
        for y in 0..self.side() {
            for x in (0..self.side()).filter(|x| self.is_dark(*x, y)) {
                // Writing to a string does not fail.
                let _ = write!(path, "M{x} {y}h1v1h-1z");
            }
        }
        path
    }

    /// The picture, a PNG in grey.
    ///
    /// # Errors
    /// [`QrError::TooLarge`] if the encoder refuses, which it does not for a code.
    pub fn png(&self) -> Result<Zeroizing<Vec<u8>>, QrError> {
        let scale = usize::from(PIXELS);
        let side = self.side().saturating_mul(scale);
        let mut pixels = Zeroizing::new(Vec::with_capacity(side.saturating_mul(side)));
        for y in 0..side {
            pixels.extend((0..side).map(|x| match self.is_dark(x / scale, y / scale) {
                true => 0,
                false => u8::MAX,
            }));
        }
        let refused = |_| QrError::TooLarge;
        let mut file = Zeroizing::new(Vec::with_capacity(64 * 1024));
        let width = u32::try_from(side).map_err(|_| QrError::TooLarge)?;
        let mut encoder = Encoder::new(&mut *file, width, width);
        encoder.set_color(ColorType::Grayscale);
        encoder.set_depth(BitDepth::Eight);
        let mut writer = encoder.write_header().map_err(refused)?;
        writer.write_image_data(&pixels).map_err(refused)?;
        writer.finish().map_err(refused)?;
        Ok(file)
    }
}

/// A decoded picture, eight bits a channel.
struct Picture {
    width: usize,
    height: usize,
    channels: usize,
    line: usize,
    bytes: Zeroizing<Vec<u8>>,
}

impl Picture {
    fn decode(file: &[u8]) -> Result<Self, QrError> {
        if file.len() > MAX_FILE {
            return Err(QrError::TooLarge);
        }
        let limits = Limits { bytes: MAX_FILE };
        let mut decoder = Decoder::new_with_limits(Cursor::new(file), limits);
        decoder.set_transformations(Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().map_err(|_| QrError::Image)?;
        let (width, height) = reader.info().size();
        let size = |side: u32| usize::try_from(side).map_err(|_| QrError::TooLarge);
        let (width, height) = (size(width)?, size(height)?);
        if width.checked_mul(height).is_none_or(|all| all > MAX_PIXELS) {
            return Err(QrError::TooLarge);
        }
        let room = reader.output_buffer_size().ok_or(QrError::TooLarge)?;
        let mut bytes = Zeroizing::new(vec![0; room]);
        let frame = reader.next_frame(&mut bytes).map_err(|_| QrError::Image)?;
        let channels = match frame.color_type {
            ColorType::Grayscale => 1,
            ColorType::GrayscaleAlpha => 2,
            ColorType::Rgb => 3,
            ColorType::Rgba => 4,
            ColorType::Indexed => return Err(QrError::Image),
        };
        Ok(Self {
            width,
            height,
            channels,
            line: frame.line_size,
            bytes,
        })
    }

    /// How light a pixel is on a white page; white outside.
    fn grey(&self, x: usize, y: usize) -> u8 {
        let start = y
            .saturating_mul(self.line)
            .saturating_add(x.saturating_mul(self.channels));
        let pixel = self.bytes.get(start..start.saturating_add(self.channels));
        let (light, opaque) = match pixel {
            Some(&[grey]) => (u32::from(grey), 255),
            Some(&[grey, alpha]) => (u32::from(grey), u32::from(alpha)),
            Some(&[red, green, blue]) => (luma(red, green, blue), 255),
            Some(&[red, green, blue, alpha]) => (luma(red, green, blue), u32::from(alpha)),
            _ => (255, 255),
        };
        let over_white = (light * opaque + 255 * (255 - opaque)) / 255;
        u8::try_from(over_white).unwrap_or(u8::MAX)
    }
}

/// The lightness of a colour (ITU-R BT.601).
fn luma(red: u8, green: u8, blue: u8) -> u32 {
    (u32::from(red) * 299 + u32::from(green) * 587 + u32::from(blue) * 114) / 1000
}

#[cfg(test)]
mod tests;
