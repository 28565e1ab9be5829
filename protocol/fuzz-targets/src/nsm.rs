//! Messages of the Nitro Security Module. The device may write the same message in several ways, so
//! what must hold is that our own writing of what was read reads the same.

use quorate_init::nsm::wire::{Request, Response};

pub(crate) fn request(data: &[u8]) {
    let Ok(request) = Request::decode(data) else {
        return;
    };
    // An absent option takes room when written: what was read at the limit may not fit again.
    if let Ok(bytes) = request.encode() {
        assert_eq!(
            Request::decode(&bytes).as_ref(),
            Ok(&request),
            "written and read again"
        );
    }
}

pub(crate) fn response(data: &[u8]) {
    let Ok(response) = Response::decode(data) else {
        return;
    };
    if let Ok(bytes) = response.encode() {
        assert_eq!(
            Response::decode(&bytes).as_ref(),
            Ok(&response),
            "written and read again"
        );
    }
}
