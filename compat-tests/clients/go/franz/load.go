package main

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"gantry/compat/line"
)

// load sends until it is stopped and says every acknowledgement; the broker may die and come back meanwhile, the
// idempotent producer goes on. A value is "<name>-<partition>-<number>" filled up to the size, so that the reader can
// tell what it holds. "rate" bounds the records a second (0: as fast as the window allows).
func load(ctx context.Context, c *line.Command) error {
	client, err := producer(c, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RecordRetries(math.MaxInt),
		kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }),
		kgo.DialTimeout(time.Second), kgo.MetadataMinAge(100*time.Millisecond), kgo.UnknownTopicRetries(-1))
	if err != nil {
		return err
	}
	defer client.Close()
	var pending sync.WaitGroup
	window := make(chan struct{}, c.InFlight)
	started := time.Now()
	for n := int64(0); n < c.Count && ctx.Err() == nil; n++ {
		pace(ctx, c, started, n)
		select {
		case window <- struct{}{}:
		case <-ctx.Done():
			continue
		}
		r := &kgo.Record{Topic: c.Topic, Partition: int32(n % int64(c.Partitions)), Key: fmt.Appendf(nil, "k%d", n)}
		r.Value = value(c, r.Partition, n)
		pending.Add(1)
		client.Produce(context.WithoutCancel(ctx), r, func(r *kgo.Record, err error) {
			defer pending.Done()
			defer func() { <-window }()
			if err != nil {
				c.Say(map[string]any{"failed": n, "partition": r.Partition, "reason": err.Error()})
				return
			}
			c.Say(map[string]any{"ack": n, "partition": r.Partition, "offset": r.Offset})
		})
	}
	pending.Wait()
	return nil
}

func pace(ctx context.Context, c *line.Command, started time.Time, n int64) {
	if c.Rate == 0 {
		return
	}
	due := started.Add(time.Duration(n) * time.Second / time.Duration(c.Rate))
	select {
	case <-time.After(time.Until(due)):
	case <-ctx.Done():
	}
}

func value(c *line.Command, partition int32, n int64) []byte {
	made := fmt.Appendf(make([]byte, 0, c.Size), "%s-%d-%d-", c.Topic, partition, n)
	for len(made) < c.Size {
		made = append(made, byte('a'+len(made)%26))
	}
	return made
}
