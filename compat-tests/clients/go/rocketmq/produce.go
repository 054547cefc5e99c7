package main

import (
	"context"
	"fmt"
	"strings"
	"sync"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"

	"gantry/compat/line"
)

var (
	producerLock sync.Mutex
	producers    = map[string]rocketmq.Producer{}
)

// started is the producer of the name server, made once: its client finds new topics by itself.
func started(c *line.Command) (rocketmq.Producer, error) {
	producerLock.Lock()
	defer producerLock.Unlock()
	if made := producers[c.Namesrv]; made != nil {
		return made, nil
	}
	made, err := rocketmq.NewProducer(producer.WithNameServer([]string{c.Namesrv}), producer.WithGroupName("compat_go"),
		producer.WithInstanceName(unique("p")), producer.WithQueueSelector(producer.NewManualQueueSelector()), producer.WithRetry(2))
	if err != nil {
		return nil, err
	}
	producers[c.Namesrv] = made
	return made, made.Start()
}

func produce(ctx context.Context, c *line.Command) error {
	p, err := started(c)
	if err != nil {
		return err
	}
	known, err := queues(ctx, c, "TBW102")
	if err != nil {
		return err
	}
	messages := make([]*primitive.Message, 0, len(c.Records))
	for i := range c.Records {
		messages = append(messages, message(c.Topic, known[0].BrokerName, &c.Records[i]))
	}
	switch c.Mode {
	case "", "sync":
		return each(messages, func(i int, m *primitive.Message) error {
			result, err := p.SendSync(ctx, m)
			return ack(c, i, result, err)
		})
	case "async":
		return each(messages, func(i int, m *primitive.Message) error {
			done := make(chan error, 1)
			err := p.SendAsync(ctx, func(_ context.Context, result *primitive.SendResult, err error) { done <- ack(c, i, result, err) }, m)
			if err != nil {
				return err
			}
			return <-done
		})
	case "oneway":
		return each(messages, func(i int, m *primitive.Message) error {
			if err := p.SendOneWay(ctx, m); err != nil {
				return err
			}
			c.Say(map[string]any{"ack": i, "msgId": m.GetProperty("UNIQ_KEY")})
			return nil
		})
	case "batch":
		return batch(ctx, c, p, messages)
	}
	return fmt.Errorf("mode is sync, async, oneway or batch, not %q", c.Mode)
}

func each(messages []*primitive.Message, send func(int, *primitive.Message) error) error {
	for i, m := range messages {
		if err := send(i, m); err != nil {
			return err
		}
	}
	return nil
}

func ack(c *line.Command, i int, result *primitive.SendResult, err error) error {
	if err != nil {
		return err
	}
	if result.Status != primitive.SendOK {
		return fmt.Errorf("send status %d", result.Status)
	}
	c.Say(map[string]any{
		"ack": i, "partition": result.MessageQueue.QueueId, "offset": result.QueueOffset,
		"msgId": result.MsgID, "offsetMsgId": result.OffsetMsgID,
	})
	return nil
}

// batch sends all records as one batch to the queue of the first.
func batch(ctx context.Context, c *line.Command, p rocketmq.Producer, messages []*primitive.Message) error {
	result, err := p.SendSync(ctx, messages...)
	if err != nil {
		return err
	}
	for i := range messages {
		c.Say(map[string]any{"ack": i, "partition": result.MessageQueue.QueueId, "offset": result.QueueOffset + int64(i)})
	}
	return nil
}

func message(topic, broker string, r *line.Record) *primitive.Message {
	made := primitive.NewMessage(topic, r.Value)
	made.Flag = r.Flag
	made.WithTag(r.Tags)
	if r.Keys != "" {
		made.WithKeys(strings.Split(r.Keys, " "))
	}
	for name, value := range r.Properties {
		made.WithProperty(name, value)
	}
	// WithShardingKey of this library sets a property of another name than the Java client, BUYER_ID it has none.
	made.WithProperty("__SHARDINGKEY", r.ShardingKey)
	made.WithProperty("BUYER_ID", r.BuyerID)
	if r.WaitStore != nil && !*r.WaitStore {
		made.WithProperty("WAIT", "false")
	}
	if r.Partition != nil {
		made.Queue = &primitive.MessageQueue{Topic: topic, BrokerName: broker, QueueId: int(*r.Partition)}
	}
	return made
}
