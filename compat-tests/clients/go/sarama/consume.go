package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"gantry/compat/line"
)

// consume receives as a member of the group, or from every partition with mode "assign". It ends at count records, at
// the timeout or when it is stopped; a member has then committed exactly the records it said.
func consume(ctx context.Context, c *line.Command) error {
	conf, err := configured(c)
	if err != nil {
		return err
	}
	deadline, cancel := c.Deadline(ctx)
	defer cancel()
	take := &taker{c: c, left: c.Count, enough: cancel}
	if c.Mode == "assign" {
		return assigned(deadline, c, conf, take)
	}
	group, err := sarama.NewConsumerGroup([]string{c.Bootstrap}, c.Group, conf)
	if err != nil {
		return err
	}
	defer group.Close()
	for deadline.Err() == nil {
		err := group.Consume(deadline, c.Topics, take)
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) && deadline.Err() == nil {
			return err
		}
	}
	return nil
}

// taker says records and counts them down; it is also the handler of a group session.
type taker struct {
	c      *line.Command
	lock   sync.Mutex
	left   int64
	enough context.CancelFunc
}

func (t *taker) take(m *sarama.ConsumerMessage, session sarama.ConsumerGroupSession) {
	t.lock.Lock()
	defer t.lock.Unlock()
	if t.left == 0 {
		return
	}
	t.left--
	t.c.Say(map[string]any{"record": pivot(m)})
	if session != nil {
		session.MarkMessage(m, "")
	}
	if t.left == 0 {
		t.enough()
	}
}

// Setup says what was assigned.
func (t *taker) Setup(session sarama.ConsumerGroupSession) error {
	t.c.Say(map[string]any{"event": "assigned", "partitions": line.TopicNames(session.Claims())})
	return nil
}

// Cleanup says what is given up.
func (t *taker) Cleanup(session sarama.ConsumerGroupSession) error {
	t.c.Say(map[string]any{"event": "revoked", "partitions": line.TopicNames(session.Claims())})
	return nil
}

// ConsumeClaim reads one partition until the session ends.
func (t *taker) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case m, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			t.take(m, session)
		case <-session.Context().Done():
			return nil
		}
	}
}

func assigned(ctx context.Context, c *line.Command, conf *sarama.Config, take *taker) error {
	consumer, err := sarama.NewConsumer([]string{c.Bootstrap}, conf)
	if err != nil {
		return err
	}
	defer consumer.Close()
	var reading sync.WaitGroup
	for _, topic := range c.Topics {
		partitions, err := consumer.Partitions(topic)
		if err != nil {
			return err
		}
		for _, p := range partitions {
			partition, err := consumer.ConsumePartition(topic, p, sarama.OffsetOldest)
			if err != nil {
				return err
			}
			defer partition.Close()
			reading.Go(func() {
				for {
					select {
					case m := <-partition.Messages():
						take.take(m, nil)
					case <-ctx.Done():
						return
					}
				}
			})
		}
	}
	reading.Wait()
	return nil
}

func pivot(m *sarama.ConsumerMessage) line.Record {
	timestamp := m.Timestamp.UnixMilli()
	made := line.Record{
		Topic: m.Topic, Partition: &m.Partition, Offset: m.Offset, Key: m.Key, Value: m.Value,
		Headers: [][2]*string{}, Timestamp: &timestamp, ReceivedAt: time.Now().UnixMilli(),
	}
	for _, h := range m.Headers {
		name := string(h.Key)
		made.Headers = append(made.Headers, [2]*string{&name, line.Base64(h.Value)})
	}
	return made
}
