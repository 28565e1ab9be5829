//! Notes: in their order, as many whole ones as there is room for stand below the panes, and the rest
//! at the end of what was found, where a person scrolls to them.
//!
//! None is cut, and none is left out without the screen saying so: some come from what lies in the
//! shared folder, and whoever writes there could push the others off the screen.

use crate::text::Text;
use crate::update::{Model, Pane};
use crate::wrap::{self, Said, Tone, wrap};

/// Most lines below the panes on the largest screen.
const MOST: u16 = 6;
/// Of a screen's lines, one in so many is for notes.
const SHARE: u16 = 6;

/// Lines for notes below the panes.
fn room(model: &Model) -> usize {
    let (_, height) = model.size();
    usize::from((height / SHARE).clamp(1, MOST))
}

fn lines(note: &Text, width: usize) -> impl Iterator<Item = Said> {
    let lines = wrap(&format!("note: {note}"), width).into_iter();
    lines.map(|text| Said {
        tone: Tone::Quiet,
        text,
    })
}

/// How many notes stand below the panes.
fn shown(model: &Model) -> usize {
    let (width, room) = (usize::from(model.size().0), room(model));
    let mut taken = 0_usize;
    let fits = |note: &&Text| {
        taken = taken.saturating_add(lines(note, width).count());
        taken <= room
    };
    model.page().notes.iter().take_while(fits).count()
}

/// What stands below the panes.
pub(crate) fn below(model: &Model) -> Vec<Said> {
    let (width, shown) = (usize::from(model.size().0), shown(model));
    let notes = model.page().notes.iter();
    let mut below: Vec<Said> = notes
        .take(shown)
        .flat_map(|note| lines(note, width))
        .collect();
    let more = model.page().notes.len().saturating_sub(shown);
    if more > 0 {
        let place = wrap::pane_title(&model.page().body, Pane::Found);
        let text = format!("further notes: {more}, at the end of: {place}");
        let text = wrap(&text, width).into_iter();
        below.extend(text.map(|text| Said {
            tone: Tone::Warning,
            text,
        }));
    }
    below
}

/// What stands at the end of what was found, in lines of this width.
pub(crate) fn inside(model: &Model, width: usize) -> Vec<Said> {
    let rest = model.page().notes.iter().skip(shown(model));
    rest.flat_map(|note| lines(note, width)).collect()
}
