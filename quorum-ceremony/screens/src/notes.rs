//! Notes: in their order, as many whole ones as there is room for stand below the panes, and the rest
//! at the end of what was found, where a person scrolls to them.
//!
//! None is cut, and none is left out without the screen saying so: some come from what lies in the
//! shared folder, and whoever writes there could push the others off the screen.

use crate::text::Text;
use crate::update::Model;
use crate::view;
use crate::wrap::{Said, Tone, wrap};

/// Most lines below the panes on the largest screen.
const MOST: u16 = 6;
/// Of a screen's lines, one in so many is for notes.
const SHARE: u16 = 6;

fn lines(note: &Text, width: usize) -> impl Iterator<Item = Said> {
    let lines = wrap(&format!("note: {note}"), width).into_iter();
    lines.map(|text| Said {
        tone: Tone::Quiet,
        text,
    })
}

/// How many notes stand below the panes: verdict, question and a line of a pane go before them.
fn shown(model: &Model) -> usize {
    let (width, height) = model.size();
    let width = usize::from(width);
    let rest = view::head(model, width)
        .len()
        .saturating_add(view::question(model, width).len())
        .saturating_add(view::LEAST_OF_PANE.into());
    let free = usize::from(height).saturating_sub(rest);
    let most = usize::from((height / SHARE).clamp(1, MOST));
    let notes = &model.page().notes;
    let sizes = notes.iter().map(|note| lines(note, width).count());
    let all = sizes.clone().fold(0, usize::saturating_add);
    if all <= most.min(free) {
        return notes.len();
    }
    // One line says where the others are.
    let room = most.min(free.saturating_sub(1));
    let mut taken = 0_usize;
    let fits = |size: &usize| {
        taken = taken.saturating_add(*size);
        taken <= room
    };
    sizes.take_while(fits).count()
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
        let text = format!("further notes: {more}, at the end of the first pane");
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
