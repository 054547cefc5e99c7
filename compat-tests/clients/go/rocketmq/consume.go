package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"

	"gantry/compat/line"
)

// consume receives as a push consumer of the group, or queue by queue with mode "pull". It ends at count records, at the
// timeout or when it is stopped; a push consumer has then committed exactly the records it said.
func consume(ctx context.Context, c *line.Command) error {
	deadline, cancel := c.Deadline(ctx)
	defer cancel()
	switch c.Mode {
	case "", "push":
		return push(deadline, cancel, c)
	case "pull":
		return pull(deadline, cancel, c)
	}
	return fmt.Errorf("mode is push or pull, not %q", c.Mode)
}

func options(c *line.Command, group string) []consumer.Option {
	from := consumer.ConsumeFromFirstOffset
	if c.From == "last" {
		from = consumer.ConsumeFromLastOffset
	}
	return []consumer.Option{
		consumer.WithNameServer([]string{c.Namesrv}), consumer.WithGroupName(group), consumer.WithInstance(unique("c")),
		consumer.WithConsumeFromWhere(from), consumer.WithConsumeMessageBatchMaxSize(1),
	}
}

func push(ctx context.Context, enough context.CancelFunc, c *line.Command) error {
	member, err := rocketmq.NewPushConsumer(append(options(c, c.Group), consumer.WithConsumerOrder(c.Orderly))...)
	if err != nil {
		return err
	}
	var lock sync.Mutex
	left := c.Count
	take := func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		lock.Lock()
		if left < int64(len(messages)) {
			lock.Unlock()
			select {} // success would commit what nobody has seen, failure would send it back: no answer does neither
		}
		left -= int64(len(messages))
		for _, m := range messages {
			c.Say(map[string]any{"record": pivot(m)})
		}
		done := left == 0
		lock.Unlock()
		if done {
			time.AfterFunc(100*time.Millisecond, enough) // after the library has noted this message
		}
		return consumer.ConsumeSuccess, nil
	}
	for _, topic := range c.Topics {
		selector := consumer.MessageSelector{}
		if c.Tags != "" {
			selector = consumer.MessageSelector{Type: consumer.TAG, Expression: c.Tags}
		}
		if err := member.Subscribe(topic, selector, take); err != nil {
			return err
		}
	}
	if err := member.Start(); err != nil {
		return err
	}
	c.Say(map[string]any{"event": "started"})
	<-ctx.Done()
	return member.Shutdown()
}

// pull reads every queue of the topics from its start, side by side: at the end of a queue, and in an empty one, the library
// waits for the next message.
func pull(ctx context.Context, enough context.CancelFunc, c *line.Command) error {
	left := atomic.Int64{}
	left.Store(c.Count)
	failed := make(chan error, 1024)
	var reading sync.WaitGroup
	for _, topic := range c.Topics {
		all, err := queues(ctx, c, topic)
		if err != nil {
			return err
		}
		reader, err := rocketmq.NewPullConsumer(options(c, unique("compat_pull"))...)
		if err != nil {
			return err
		}
		if err := reader.Subscribe(topic, consumer.MessageSelector{Type: consumer.TAG, Expression: "*"}); err != nil {
			return err
		}
		if err := reader.Start(); err != nil {
			return err
		}
		defer reader.Shutdown()
		for _, queue := range all {
			reading.Go(func() {
				err := drain(ctx, reader, queue, func(m *primitive.MessageExt) {
					c.Say(map[string]any{"record": pivot(m)})
					if left.Add(-1) == 0 {
						enough()
					}
				})
				if err != nil && ctx.Err() == nil {
					failed <- err
					enough()
				}
			})
		}
	}
	reading.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func drain(ctx context.Context, reader rocketmq.PullConsumer, queue *primitive.MessageQueue, take func(*primitive.MessageExt)) error {
	for next := int64(0); ctx.Err() == nil; {
		result, err := reader.PullFrom(ctx, queue, next, 32)
		if err != nil {
			return err
		}
		if result.Status == primitive.PullBrokerTimeout {
			return errors.New("the broker did not answer")
		}
		if result.Status == primitive.PullFound {
			for _, m := range result.GetMessageExts() {
				take(m)
			}
		}
		next = result.NextBeginOffset
	}
	return nil
}

func pivot(m *primitive.MessageExt) map[string]any {
	properties := m.GetProperties()
	text := func(name string) any {
		if value, ok := properties[name]; ok {
			return value
		}
		return nil
	}
	return map[string]any{
		"topic": m.Topic, "partition": m.Queue.QueueId, "offset": m.QueueOffset,
		"value": base64.StdEncoding.EncodeToString(m.Body), "tags": text("TAGS"), "keys": text("KEYS"),
		"properties": properties, "flag": m.Flag, "sysFlag": m.SysFlag, "msgId": m.MsgId, "offsetMsgId": m.OffsetMsgId,
		"bornTimestamp": m.BornTimestamp, "storeTimestamp": m.StoreTimestamp, "commitLogOffset": m.CommitLogOffset,
		"reconsumeTimes": m.ReconsumeTimes, "receivedAt": time.Now().UnixMilli(),
	}
}
