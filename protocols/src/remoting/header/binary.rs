//! The ROCKETMQ binary header.
//!
//! | offset | width | field |
//! |---|---|---|
//! | 0 | 2 | code, the low 16 bits of it |
//! | 2 | 1 | language |
//! | 3 | 2 | version |
//! | 5 | 4 | opaque |
//! | 9 | 4 | flag |
//! | 13 | 4 + n | remark, absent when n is 0 |
//! | then | 4 + n | ext fields: 2 + n name, 4 + n value; a value of length 0 is absent |
//!
//! Source: RocketMQ 5.3.3 `remoting/protocol/RocketMQSerializable.java`.

use bytes::{BufMut, BytesMut};

use super::{ExtFields, ExtValue, ExtWriter, Flag, Head, HeadEncodeError, HeaderDecodeError, HeaderView};
use crate::cursor::{LengthPrefix, Reader, put_bytes_i32};
use crate::remoting::ext::Span;
use crate::remoting::frame::Codec;
use crate::remoting::language::Language;

pub(super) fn decode(header: &[u8]) -> Result<HeaderView<'_>, HeaderDecodeError> {
    let mut reader = Reader::new(header);
    let mut view = HeaderView::empty(header);
    view.code = i32::from(reader.take_i16("code")?);
    view.language = Language(reader.take_u8("language")?);
    view.version = i32::from(reader.take_i16("version")?);
    view.opaque = reader.take_i32("opaque")?;
    view.flag = Flag(reader.take_i32("flag")?);
    let remark_len = reader.take_i32("remark length")?;
    let remark = reader.take_sized(remark_len, "remark")?;
    view.remark = (!remark.is_empty()).then_some(ExtValue::new(remark, false));
    decode_ext(&mut reader, &mut view.ext)?;
    reader.finish("the header")?;
    Ok(view)
}

fn decode_ext(reader: &mut Reader<'_>, ext: &mut ExtFields<'_>) -> Result<(), HeaderDecodeError> {
    let len = reader.take_i32("ext fields length")?;
    let base = reader.position();
    let mut fields = Reader::new(reader.take_sized(len, "ext fields")?);
    while !fields.is_empty() {
        let key_len = i32::from(fields.take_i16("field name length")?);
        let key_at = base + fields.position();
        let key = span(key_at, fields.take_sized(key_len, "field name")?);
        let value_len = fields.take_i32("field value length")?;
        let value_at = base + fields.position();
        let value = span(value_at, fields.take_sized(value_len, "field value")?);
        if value.len > 0 {
            ext.push(key, value)?;
        }
    }
    Ok(())
}

/// A frame is far below 4 GiB, so its positions fit.
fn span(at: usize, bytes: &[u8]) -> Span {
    let bits = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Span { at: bits(at), len: bits(bytes.len()), escaped: false }
}

pub(super) fn encode(
    head: &Head<'_>,
    out: &mut BytesMut,
    ext: impl FnOnce(&mut ExtWriter<'_>),
) -> Result<(), HeadEncodeError> {
    let code = i16::try_from(head.code).map_err(|_| HeadEncodeError::CodeTooLarge { code: head.code })?;
    let version = i16::try_from(head.version)
        .map_err(|_| HeadEncodeError::VersionTooLarge { version: head.version })?;
    out.put_i16(code);
    out.put_u8(head.language.0);
    out.put_i16(version);
    out.put_i32(head.opaque);
    out.put_i32(head.flag.0);
    put_bytes_i32(out, head.remark.unwrap_or_default().as_bytes(), "remark")?;
    let fields_len = LengthPrefix::open(out);
    let mut fields = ExtWriter::new(out, Codec::Rocketmq);
    ext(&mut fields);
    fields.finish()?;
    Ok(fields_len.close(out, 0, "ext fields")?)
}
