use proptest::prelude::*;

use super::*;
use crate::fixture::{Key, frozen};

fn refused(file: &[u8]) -> QrError {
    Backup::from_png(file).err().expect("refused")
}

/// A grey picture of this text in a code of another maker's making.
fn code_of(text: &str) -> Zeroizing<Vec<u8>> {
    Code(QrCode::encode_text(text, QrCodeEcc::Medium).unwrap())
        .png()
        .unwrap()
}

/// The pixels of a PNG of ours.
fn pixels(file: &[u8]) -> (usize, Vec<u8>) {
    let picture = Picture::decode(file).ok().unwrap();
    (picture.width, picture.bytes.to_vec())
}

fn png(width: usize, height: usize, color: ColorType, pixels: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let [width, height] = [width, height].map(|side| u32::try_from(side).unwrap());
    let mut encoder = Encoder::new(&mut file, width, height);
    encoder.set_color(color);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(pixels).unwrap();
    writer.finish().unwrap();
    file
}

#[test]
fn a_picture_comes_back() {
    let key = Key::new(1);
    let file = key.backup(3).qr().ok().unwrap().png().unwrap();
    let read = Backup::from_png(&file).ok().unwrap();
    assert!(read.prove(&key.expected(3)).is_ok());
}

#[test]
fn a_turned_coloured_or_damaged_picture_comes_back() {
    let key = Key::new(1);
    let file = key.backup(0).qr().ok().unwrap().png().unwrap();
    let (side, grey) = pixels(&file);
    let at = |x: usize, y: usize| grey[y * side + x];
    let turned: Vec<u8> = (0..side * side)
        .map(|number| at(number / side, side - 1 - number % side))
        .collect();
    let coloured: Vec<u8> = grey
        .iter()
        .flat_map(|grey| [*grey / 2, grey / 3 + 90, *grey])
        .collect();
    // Light pixels see-through, over black.
    let clear: Vec<u8> = grey.iter().flat_map(|grey| [0, 0, 0, 255 - grey]).collect();
    let mut stained = grey.clone();
    for y in 190..222 {
        stained[y * side + 200..y * side + 232].fill(255);
    }
    for (color, pixels) in [
        (ColorType::Grayscale, turned),
        (ColorType::Rgb, coloured),
        (ColorType::Rgba, clear),
        (ColorType::Grayscale, stained),
    ] {
        let read = Backup::from_png(&png(side, side, color, &pixels))
            .ok()
            .unwrap();
        assert!(read.prove(&key.expected(0)).is_ok());
    }
}

/// What a terminal shows, read back by making it a picture.
#[test]
fn the_terminal_shows_the_same_code() {
    let key = Key::new(1);
    let code = key.backup(0).qr().ok().unwrap();
    let ascii = code.ascii();
    assert!(ascii.lines().all(|line| line.len() == 82));
    assert!(ascii.bytes().all(|byte| b"# \n".contains(&byte)));
    let blocks = code.half_blocks();
    assert_eq!(
        blocks.lines().count(),
        21,
        "a terminal of 24 lines has room"
    );
    assert!(blocks.lines().all(|line| line.chars().count() == 41));
    let from_blocks = |y: usize, x: usize| {
        let shown = blocks.lines().nth(y / 2).unwrap().chars().nth(x).unwrap();
        if y.is_multiple_of(2) {
            "▀█".contains(shown)
        } else {
            "▄█".contains(shown)
        }
    };
    let mut pixels = Vec::new();
    for y in 0..41 {
        let line: Vec<char> = ascii.lines().nth(y).unwrap().chars().collect();
        let dark = |x: usize| {
            assert_eq!(line[2 * x], line[2 * x + 1]);
            assert_eq!(line[2 * x] == '#', from_blocks(y, x));
            line[2 * x] == '#'
        };
        let row: Vec<u8> = (0..41 * 4)
            .map(|x| if dark(x / 4) { 0 } else { 255 })
            .collect();
        (0..4).for_each(|_| pixels.extend(&row));
    }
    let read = Backup::from_png(&png(164, 164, ColorType::Grayscale, &pixels))
        .ok()
        .unwrap();
    assert!(read.prove(&key.expected(0)).is_ok());
}

#[test]
fn the_text_of_a_known_share() {
    let text = Key::new(1).backup(0).qr_text();
    frozen("qr.txt", &text);
}

#[test]
fn a_code_of_another_maker_fails_closed() {
    for text in ["HTTPS://EXAMPLE.COM", "quorate", PREFIX] {
        assert_eq!(refused(&code_of(text)), QrError::Foreign, "{text}");
    }
}

#[test]
fn text_that_is_no_backup_fails_closed() {
    let good = Key::new(1).backup(0).qr_text();
    let mut longer = good.clone();
    longer.push('0');
    for text in [
        "",
        &good[1..],
        &good[..good.len() - 1],
        &longer,
        &good.to_lowercase(),
    ] {
        assert_eq!(Backup::from_qr_text(text).err(), Some(QrError::Foreign));
    }
    // O is lenient for hands, and no machine writes it.
    let lenient = format!("{}O", &good[..good.len() - 1]);
    assert_eq!(Backup::from_qr_text(&lenient).err(), Some(QrError::Foreign));
    let last = if good.ends_with('0') { '1' } else { '0' };
    let wrong = format!("{}{last}", &good[..good.len() - 1]);
    let checksum = BackupError::Checksum { suspect: None };
    assert_eq!(
        Backup::from_qr_text(&wrong).err(),
        Some(QrError::Backup(checksum))
    );
    assert!(Backup::from_qr_text(&good).is_ok());
}

#[test]
fn two_backups_in_one_picture_fails_closed() {
    let key = Key::new(1);
    let both = [0, 1].map(|share| pixels(&key.backup(share).qr().ok().unwrap().png().unwrap()));
    let side = both[0].0;
    let beside = |left: &[u8], right: &[u8]| {
        let mut all = Vec::new();
        for y in 0..side {
            all.extend(&left[y * side..(y + 1) * side]);
            all.extend(&right[y * side..(y + 1) * side]);
        }
        png(2 * side, side, ColorType::Grayscale, &all)
    };
    assert_eq!(refused(&beside(&both[0].1, &both[1].1)), QrError::Several);
    // The same one twice, or another maker's beside it, is no doubt.
    assert!(Backup::from_png(&beside(&both[0].1, &both[0].1)).is_ok());
}

#[test]
fn pictures_without_a_code_fails_closed() {
    assert_eq!(refused(b""), QrError::Image);
    assert_eq!(refused(b"\x89PNG\r\n\x1a\n"), QrError::Image);
    assert_eq!(
        refused(&png(64, 64, ColorType::Grayscale, &[200; 4096])),
        QrError::Nothing
    );
    let file = Key::new(1).backup(0).qr().ok().unwrap().png().unwrap();
    assert_eq!(refused(&file[..file.len() / 2]), QrError::Image);
    let (side, mut grey) = pixels(&file);
    // The finders stay, the rest is gone.
    for y in 100..side {
        grey[y * side + 100..(y + 1) * side].fill(0);
    }
    let gone = refused(&png(side, side, ColorType::Grayscale, &grey));
    assert!(
        matches!(gone, QrError::Unreadable | QrError::Nothing),
        "{gone:?}"
    );
}

#[test]
fn pictures_that_are_too_large_fails_closed() {
    assert_eq!(refused(&vec![0; MAX_FILE + 1]), QrError::TooLarge);
    // A header that promises 2³⁰ pixels.
    let mut file = Vec::new();
    let encoder = Encoder::new(&mut file, 32_768, 32_768);
    drop(encoder.write_header().unwrap());
    let error = refused(&file);
    assert!(
        matches!(error, QrError::TooLarge | QrError::Image),
        "{error:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_picture_ends_in_an_answer(
        width in 1_usize..96, height in 1_usize..96, noise in prop::collection::vec(any::<u8>(), 96 * 96),
    ) {
        let file = png(width, height, ColorType::Grayscale, &noise[..width * height]);
        prop_assert!(Backup::from_png(&file).is_err());
    }

    #[test]
    fn a_code_with_noise_is_read_right_or_not_at_all(
        share in 0_usize..5, spots in prop::collection::vec((0_usize..328, 0_usize..328, any::<u8>()), 0..600),
    ) {
        let key = Key::new(1);
        let file = key.backup(share).qr().ok().unwrap().png().unwrap();
        let (side, mut grey) = pixels(&file);
        for (x, y, value) in spots {
            let (x, y) = (x.min(side - 6), y.min(side - 6));
            for line in y..y + 6 {
                grey[line * side + x..line * side + x + 6].fill(value);
            }
        }
        if let Ok(read) = Backup::from_png(&png(side, side, ColorType::Grayscale, &grey)) {
            prop_assert!(read.prove(&key.expected(share)).is_ok());
        }
    }
}
