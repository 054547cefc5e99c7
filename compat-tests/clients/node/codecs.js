'use strict';
// The codecs that kafkajs leaves to the application. Java clients frame snappy in blocks behind a header of their own
// ("xerial"); others send one bare block.

const { CompressionCodecs, CompressionTypes } = require('kafkajs');
const lz4 = require('lz4-napi');
const snappy = require('snappyjs');
const { ZstdCodec } = require('zstd-codec');

const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER = 16;

function unsnappy(data) {
  if (!data.subarray(0, XERIAL.length).equals(XERIAL)) return snappy.uncompress(data);
  const blocks = [];
  for (let at = XERIAL_HEADER; at < data.length;) {
    const size = data.readInt32BE(at);
    blocks.push(snappy.uncompress(data.subarray(at + 4, at + 4 + size)));
    at += 4 + size;
  }
  return Buffer.concat(blocks);
}

// The streaming reader: frames of librdkafka do not tell their size, which the simple one wants.
const zstd = new Promise(resolve => ZstdCodec.run(made => resolve(new made.Streaming())));

CompressionCodecs[CompressionTypes.Snappy] = () => ({
  compress: async encoder => Buffer.from(snappy.compress(encoder.buffer)),
  decompress: async data => Buffer.from(unsnappy(data)),
});
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async encoder => lz4.compressFrame(encoder.buffer),
  decompress: async data => lz4.decompressFrame(data),
});
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => Buffer.from((await zstd).compress(encoder.buffer)),
  decompress: async data => Buffer.from((await zstd).decompress(data)),
});

exports.types = {
  none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD,
};
