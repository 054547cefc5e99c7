// Command sarama is IBM/sarama as a compatibility-test client.
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"gantry/compat/line"
)

func main() {
	line.Operations{"produce": produce, "consume": consume, "admin": admin}.Main()
}

var codecs = map[string]sarama.CompressionCodec{
	"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
	"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
}

func configured(c *line.Command) (*sarama.Config, error) {
	codec, ok := codecs[c.Codec]
	if !ok {
		return nil, fmt.Errorf("unknown codec %q", c.Codec)
	}
	conf := sarama.NewConfig()
	conf.Version = sarama.MaxVersion
	conf.Producer.Compression = codec
	conf.Producer.Return.Successes = true
	conf.Producer.Flush.Frequency = 10 * time.Millisecond
	conf.Producer.RequiredAcks = map[string]sarama.RequiredAcks{
		"all": sarama.WaitForAll, "1": sarama.WaitForLocal, "0": sarama.NoResponse,
	}[c.Acks]
	if c.Acks == "all" && (c.Idempotent == nil || *c.Idempotent) {
		conf.Producer.Idempotent = true
		conf.Net.MaxOpenRequests = 1
	}
	conf.Consumer.Offsets.AutoCommit.Interval = 500 * time.Millisecond // what is marked; the rest at the end of a session
	conf.Consumer.Offsets.Initial = sarama.OffsetOldest
	if c.From == "last" {
		conf.Consumer.Offsets.Initial = sarama.OffsetNewest
	}
	conf.Consumer.MaxWaitTime = 250 * time.Millisecond
	conf.Consumer.Group.Session.Timeout = 10 * time.Second
	conf.Consumer.Group.Heartbeat.Interval = 500 * time.Millisecond
	return conf, nil
}

func produce(_ context.Context, c *line.Command) error {
	conf, err := configured(c)
	if err != nil {
		return err
	}
	if len(c.Records) > 0 && c.Records[0].Partition != nil {
		conf.Producer.Partitioner = sarama.NewManualPartitioner
	}
	producer, err := sarama.NewSyncProducer([]string{c.Bootstrap}, conf)
	if err != nil {
		return err
	}
	defer producer.Close()
	made := make([]*sarama.ProducerMessage, 0, len(c.Records))
	for i := range c.Records {
		m, err := message(c.Topic, &c.Records[i])
		if err != nil {
			return err
		}
		made = append(made, m)
	}
	if err := producer.SendMessages(made); err != nil {
		return err
	}
	for i, m := range made {
		c.Say(map[string]any{"ack": i, "partition": m.Partition, "offset": m.Offset})
	}
	return nil
}

func message(topic string, r *line.Record) (*sarama.ProducerMessage, error) {
	made := &sarama.ProducerMessage{Topic: topic}
	if r.Key != nil {
		made.Key = sarama.ByteEncoder(r.Key)
	}
	if r.Value != nil {
		made.Value = sarama.ByteEncoder(r.Value)
	}
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
		made.Headers = append(made.Headers, sarama.RecordHeader{Key: []byte(*h[0]), Value: value})
	}
	return made, nil
}
