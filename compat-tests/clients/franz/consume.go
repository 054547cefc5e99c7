package main

import (
	"context"
	"encoding/base64"
	"sort"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// consume receives as a member of the group, or from every partition with mode "assign". It ends at count records, at
// the timeout or when it is stopped; a member has then committed exactly the records it said.
func consume(ctx context.Context, c *command) error {
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
				c.say(map[string]any{"event": "assigned", "partitions": names(got)})
			}),
			kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
				c.say(map[string]any{"event": "revoked", "partitions": names(lost)})
			}))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return err
	}
	defer client.Close()
	deadline, cancel := context.WithTimeout(ctx, time.Duration(c.Timeout)*time.Millisecond)
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
			c.say(map[string]any{"record": pivot(r)})
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

func names(partitions map[string][]int32) []string {
	all := []string{}
	for topic, ps := range partitions {
		for _, p := range ps {
			all = append(all, topic+"-"+strconv.Itoa(int(p)))
		}
	}
	sort.Strings(all)
	return all
}

func pivot(r *kgo.Record) record {
	timestamp := r.Timestamp.UnixMilli()
	made := record{
		Topic: r.Topic, Partition: &r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value,
		Headers: [][2]*string{}, Timestamp: &timestamp, ReceivedAt: time.Now().UnixMilli(),
	}
	for _, h := range r.Headers {
		key, value := h.Key, (*string)(nil)
		if h.Value != nil {
			text := base64.StdEncoding.EncodeToString(h.Value)
			value = &text
		}
		made.Headers = append(made.Headers, [2]*string{&key, value})
	}
	return made
}
