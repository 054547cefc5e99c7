//! RocketMQ's remoting dialect: frames, the two header codecs, codes, headers and bodies.
//!
//! A request goes `Frame::split` → `HeaderView::decode` → a header of [`headers`] → perhaps a body of
//! [`bodies`]; an answer goes through [`header::Head::write`], its body following by reference.
//! Not here: message properties and stored records (they belong to the store's formats), and what a code does.

pub mod batch;
pub mod bodies;
pub mod ext;
pub mod ext_writer;
pub mod foreign;
pub mod frame;
pub mod header;
pub mod headers;
pub mod language;
mod open_number;
pub mod request_code;
pub mod response_code;
mod text;

pub use frame::{Codec, Frame};
pub use header::{Flag, Head, HeaderView};
pub use language::Language;
pub use request_code::RequestCode;
pub use response_code::ResponseCode;
