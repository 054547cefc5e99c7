package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"gantry/compat/line"
)

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

// producer makes a client that sends to the partitions the records name.
func producer(c *line.Command, more ...kgo.Opt) (*kgo.Client, error) {
	codec, ok := codecs[c.Codec]
	if !ok {
		return nil, fmt.Errorf("unknown codec %q", c.Codec)
	}
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Bootstrap), kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(10 * time.Millisecond),
		kgo.RequestTimeoutOverhead(5 * time.Second), kgo.AllowAutoTopicCreation(),
	}
	acks := map[string]kgo.Acks{"all": kgo.AllISRAcks(), "1": kgo.LeaderAck(), "0": kgo.NoAck()}[c.Acks]
	opts = append(opts, kgo.RequiredAcks(acks))
	if c.Acks != "all" || (c.Idempotent != nil && !*c.Idempotent) {
		opts = append(opts, kgo.DisableIdempotentWrite())
	}
	return kgo.NewClient(append(opts, more...)...)
}

func produce(ctx context.Context, c *line.Command) error {
	opts := []kgo.Opt{kgo.RecordDeliveryTimeout(30 * time.Second)}
	if len(c.Records) > 0 && c.Records[0].Partition != nil {
		opts = append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	client, err := producer(c, opts...)
	if err != nil {
		return err
	}
	defer client.Close()
	made := make([]*kgo.Record, 0, len(c.Records))
	for i := range c.Records {
		r, err := toKafka(&c.Records[i], c.Topic)
		if err != nil {
			return err
		}
		made = append(made, r)
	}
	for i, result := range client.ProduceSync(ctx, made...) {
		if result.Err != nil {
			return result.Err
		}
		// results come in the order of completion, so the record itself says which one it is
		for n, r := range made {
			if r == result.Record {
				i = n
			}
		}
		c.Say(map[string]any{"ack": i, "partition": result.Record.Partition, "offset": result.Record.Offset})
	}
	return nil
}

func toKafka(r *line.Record, topic string) (*kgo.Record, error) {
	made := &kgo.Record{Topic: topic, Key: r.Key, Value: r.Value}
	if r.Partition != nil {
		made.Partition = *r.Partition
	}
	if r.Timestamp != nil {
		made.Timestamp = time.UnixMilli(*r.Timestamp)
	}
	for _, h := range r.Headers {
		value, err := line.Unbase64(h[1])
		if err != nil {
			return nil, err
		}
		made.Headers = append(made.Headers, kgo.RecordHeader{Key: *h[0], Value: value})
	}
	return made, nil
}
