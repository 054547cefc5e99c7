package main

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"gantry/compat/line"
)

// consume receives as a member of the group, or from every partition with mode "assign". It ends at count records, at
// the timeout or when it is stopped; a member has then committed exactly the records it said.
func consume(ctx context.Context, c *line.Command) error {
	from := kgo.NewOffset().AtStart()
	if c.From == "last" {
		from = kgo.NewOffset().AtEnd()
	}
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Bootstrap), kgo.ConsumeTopics(c.Topics...), kgo.ConsumeResetOffset(from),
		kgo.FetchMaxWait(500 * time.Millisecond), kgo.RequestTimeoutOverhead(5 * time.Second),
	}
	member := c.Mode != "assign"
	if member {
		opts = append(opts, kgo.ConsumerGroup(c.Group), kgo.DisableAutoCommit(), kgo.SessionTimeout(10*time.Second),
			kgo.HeartbeatInterval(500*time.Millisecond),
			kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, got map[string][]int32) {
				c.Say(map[string]any{"event": "assigned", "partitions": line.TopicNames(got)})
			}),
			kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
				c.Say(map[string]any{"event": "revoked", "partitions": line.TopicNames(lost)})
			}))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return err
	}
	defer client.Close()
	deadline, cancel := c.Deadline(ctx)
	defer cancel()
	for left := c.Count; left > 0 && deadline.Err() == nil; {
		fetches := client.PollFetches(deadline)
		if deadline.Err() == nil {
			if errs := fetches.Errors(); len(errs) > 0 {
				return errs[0].Err
			}
		}
		said := []*kgo.Record{}
		for _, r := range fetches.Records() {
			if left == 0 {
				break
			}
			c.Say(map[string]any{"record": pivot(r)})
			said = append(said, r)
			left--
		}
		if member && len(said) > 0 {
			if err := client.CommitRecords(context.WithoutCancel(ctx), said...); err != nil {
				return err
			}
		}
	}
	return nil
}

func pivot(r *kgo.Record) line.Record {
	timestamp := r.Timestamp.UnixMilli()
	made := line.Record{
		Topic: r.Topic, Partition: &r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value,
		Headers: [][2]*string{}, Timestamp: &timestamp, ReceivedAt: time.Now().UnixMilli(),
	}
	for _, h := range r.Headers {
		made.Headers = append(made.Headers, [2]*string{&h.Key, line.Base64(h.Value)})
	}
	return made
}
