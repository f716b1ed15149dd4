//! What the safe bindings of libav leave out. All the unsafe code of this crate, and nothing else.
#![expect(unsafe_code, reason = "fields and calls of libav that its bindings do not pass on")]

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{
    codec::{Context, Id},
    color::{Range, Space, TransferCharacteristic},
    ffi,
    ffi::AVFieldOrder::{AV_FIELD_BB, AV_FIELD_BT, AV_FIELD_TB, AV_FIELD_TT},
    format::{Pixel, context},
};

/// `SEEK_CUR` of stdio, which libav borrows.
const SEEK_CUR: i32 = 1;

/// What a header says of one stream.
#[derive(Debug, Clone)]
pub(crate) struct StreamFacts {
    pub(crate) codec: Id,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixels: Option<Pixel>,
    /// Width of a pixel for a height of one, as a fraction; 0/1 when nobody said.
    pub(crate) aspect: (i32, i32),
    pub(crate) interlaced: bool,
    pub(crate) transfer: TransferCharacteristic,
    pub(crate) space: Space,
    pub(crate) range: Range,
    pub(crate) sample_rate: u32,
    pub(crate) channels: u32,
}

/// Reads the parameters of a stream.
pub(crate) fn facts(stream: &ffmpeg::Stream<'_>) -> StreamFacts {
    let parameters = stream.parameters();
    // SAFETY: a stream of an open input has parameters, they live as long as `parameters`, and nobody writes to them.
    let raw = unsafe { &*parameters.as_ptr() };
    // SAFETY: the header is read, and libav only ever puts its own enumerators or -1 into `format` of a picture.
    let pixels = (raw.codec_type == ffi::AVMediaType::AVMEDIA_TYPE_VIDEO && raw.format >= 0)
        .then(|| Pixel::from(unsafe { std::mem::transmute::<i32, ffi::AVPixelFormat>(raw.format) }));
    StreamFacts {
        codec: parameters.id(),
        width: raw.width.max(0).unsigned_abs(),
        height: raw.height.max(0).unsigned_abs(),
        pixels,
        aspect: (raw.sample_aspect_ratio.num, raw.sample_aspect_ratio.den),
        interlaced: [AV_FIELD_TT, AV_FIELD_BB, AV_FIELD_TB, AV_FIELD_BT].contains(&raw.field_order),
        transfer: raw.color_trc.into(),
        space: raw.color_space.into(),
        range: raw.color_range.into(),
        sample_rate: raw.sample_rate.max(0).unsigned_abs(),
        channels: raw.ch_layout.nb_channels.max(0).unsigned_abs(),
    }
}

/// Tells the demuxer to skip every stream but one.
pub(crate) fn keep_only(input: &mut context::Input, kept: usize) {
    for index in 0..input.nb_streams() as usize {
        if index != kept
            && let Some(mut stream) = input.stream_mut(index)
        {
            // SAFETY: the stream belongs to `input`, which is borrowed exclusively.
            unsafe { (*stream.as_mut_ptr()).discard = ffi::AVDiscard::AVDISCARD_ALL };
        }
    }
}

/// Ends a fragment and says how long the file is then.
pub(crate) fn end_fragment(output: &mut context::Output) -> Result<u64, ffmpeg::Error> {
    // SAFETY: the header of `output` is written, and no packet is the documented way to flush a muxer. Its `pb` is the
    // file it was opened with; asking for the place changes nothing.
    unsafe {
        let raw = output.as_mut_ptr();
        let flushed = ffi::av_write_frame(raw, std::ptr::null_mut());
        if flushed < 0 {
            return Err(ffmpeg::Error::from(flushed));
        }
        ffi::avio_flush((*raw).pb);
        // A failed write shows here and nowhere else.
        let error = (*(*raw).pb).error;
        if error < 0 {
            return Err(ffmpeg::Error::from(error));
        }
        let place = ffi::avio_seek((*raw).pb, 0, SEEK_CUR);
        u64::try_from(place).map_err(|_| ffmpeg::Error::from(place as i32))
    }
}

/// The codec's private header: for H.264 its parameter sets.
pub(crate) fn extradata(context: &Context) -> Vec<u8> {
    // SAFETY: libav keeps `extradata_size` bytes at `extradata` for as long as the context is open.
    unsafe {
        let raw = &*context.as_ptr();
        if raw.extradata.is_null() || raw.extradata_size <= 0 {
            return Vec::new();
        }
        std::slice::from_raw_parts(raw.extradata, raw.extradata_size as usize).to_vec()
    }
}

/// By how many pictures decoding runs ahead of showing in what an encoder gives.
pub(crate) fn pictures_delayed(context: &Context) -> usize {
    // SAFETY: reads a number of an open context.
    unsafe { (*context.as_ptr()).has_b_frames.max(0).unsigned_abs() as usize }
}

/// Samples an audio encoder wants at once.
pub(crate) fn frame_samples(context: &Context) -> u32 {
    // SAFETY: reads a number of an open context.
    unsafe { (*context.as_ptr()).frame_size.max(0).unsigned_abs() }
}

/// Lets the muxer choose its own name for the codec: that of another container may not be valid in it.
pub(crate) fn forget_tag(stream: &mut ffmpeg::StreamMut<'_>) {
    // SAFETY: the stream belongs to an output whose header is not written yet, and is borrowed exclusively.
    unsafe { (*(*stream.as_mut_ptr()).codecpar).codec_tag = 0 };
}

/// Shows a filter a frame and keeps it: the safe call takes what is in the frame away with it.
pub(crate) fn lend(source: &mut ffmpeg::filter::Context, frame: &ffmpeg::Frame) -> Result<(), ffmpeg::Error> {
    // SAFETY: both live through the call, and this function of libav only takes a reference of its own to the pixels.
    let lent = unsafe { ffi::av_buffersrc_write_frame(source.as_mut_ptr(), frame.as_ptr()) };
    if lent < 0 { Err(ffmpeg::Error::from(lent)) } else { Ok(()) }
}
