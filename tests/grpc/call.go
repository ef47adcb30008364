package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// patience is the time limit of a call that should succeed.
const patience = 20 * time.Second

func dial(address, ca, name string) *grpc.ClientConn {
	secure := insecure.NewCredentials()
	if ca != "" {
		var err error
		secure, err = credentials.NewClientTLSFromFile(ca, name)
		check(err)
	}
	calls := grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{}))
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(secure), calls, grpc.WithDisableServiceConfig())
	check(err)
	return connection
}

func callAll(connection *grpc.ClientConn) {
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	echo(ctx, connection)
	fail(ctx, connection)
	sendMany(ctx, connection)
	receiveMany(ctx, connection)
	talkByTurns(ctx, connection)
	cancelWaiting(ctx, connection)
	cancelFlood(ctx, connection)
	deadline(connection)
	echoAtOnce(ctx, connection)
}

// echo has a message of nearly the 4 MiB that gRPC takes by default.
func echo(ctx context.Context, connection *grpc.ClientConn) {
	request := make([]byte, 4_000_000)
	_, err := rand.Read(request)
	check(err)
	var reply []byte
	check(connection.Invoke(ctx, "/kurun.test.Kinds/Echo", &request, &reply))
	fmt.Println("unary:", len(reply), "bytes, the same:", bytes.Equal(request, reply))
}

func fail(ctx context.Context, connection *grpc.ClientConn) {
	var request, reply []byte
	var trailer metadata.MD
	err := connection.Invoke(ctx, "/kurun.test.Kinds/Fail", &request, &reply, grpc.Trailer(&trailer))
	fmt.Println("status:", status.Code(err), status.Convert(err).Message(), trailer.Get("why"))
}

func sendMany(ctx context.Context, connection *grpc.ClientConn) {
	stream := open(ctx, connection, "Collect")
	message := make([]byte, 1_000)
	for i := 0; i < 1_000; i++ {
		check(stream.SendMsg(&message))
	}
	check(stream.CloseSend())
	var reply []byte
	check(stream.RecvMsg(&reply))
	fmt.Println("client streaming:", string(reply))
}

func receiveMany(ctx context.Context, connection *grpc.ClientConn) {
	stream := open(ctx, connection, "Count")
	request := []byte("1000")
	check(stream.SendMsg(&request))
	check(stream.CloseSend())
	inOrder := 0
	for {
		var message []byte
		err := stream.RecvMsg(&message)
		if err == io.EOF {
			break
		}
		check(err)
		if string(message) == fmt.Sprint(inOrder) {
			inOrder++
		}
	}
	fmt.Println("server streaming:", inOrder, "in order")
}

func talkByTurns(ctx context.Context, connection *grpc.ClientConn) {
	stream := open(ctx, connection, "Talk")
	turns := 0
	for i := 0; i < 100; i++ {
		message := []byte(fmt.Sprint("me ", i))
		check(stream.SendMsg(&message))
		var reply []byte
		check(stream.RecvMsg(&reply))
		if string(reply) == fmt.Sprintf("me %d too", i) {
			turns++
		}
	}
	check(stream.CloseSend())
	var more []byte
	fmt.Println("both streaming:", turns, "turns, then", stream.RecvMsg(&more))
}

func cancelWaiting(ctx context.Context, connection *grpc.ClientConn) {
	ctx, cancel := context.WithCancel(ctx)
	stream := open(ctx, connection, "Wait")
	request := []byte("for a cancel")
	check(stream.SendMsg(&request))
	check(stream.CloseSend())
	header, err := stream.Header()
	check(err)
	cancel()
	var reply []byte
	fmt.Println("cancelled after", header.Get("began"), "as", status.Code(stream.RecvMsg(&reply)))
}

func cancelFlood(ctx context.Context, connection *grpc.ClientConn) {
	ctx, cancel := context.WithCancel(ctx)
	stream := open(ctx, connection, "Flood")
	var message []byte
	check(stream.SendMsg(&message))
	check(stream.CloseSend())
	for i := 0; i < 100; i++ {
		check(stream.RecvMsg(&message))
	}
	cancel()
	var err error
	for err == nil {
		err = stream.RecvMsg(&message)
	}
	fmt.Println("flood cancelled as", status.Code(err))
}

func deadline(connection *grpc.ClientConn) {
	const limit = 300 * time.Millisecond
	ctx, stop := context.WithTimeout(context.Background(), limit)
	defer stop()
	started := time.Now()
	request := []byte("for a deadline")
	var reply []byte
	err := connection.Invoke(ctx, "/kurun.test.Kinds/Wait", &request, &reply)
	fmt.Println("deadline:", status.Code(err), "in time:", time.Since(started) < limit+time.Second)
}

func echoAtOnce(ctx context.Context, connection *grpc.ClientConn) {
	const calls = 100
	var all sync.WaitGroup
	same := make(chan bool, calls)
	for i := 0; i < calls; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			request := bytes.Repeat([]byte{byte(i)}, 10_000)
			var reply []byte
			check(connection.Invoke(ctx, "/kurun.test.Kinds/Echo", &request, &reply))
			same <- bytes.Equal(request, reply)
		}(i)
	}
	all.Wait()
	close(same)
	good := 0
	for is := range same {
		if is {
			good++
		}
	}
	fmt.Println("at once:", good)
}

func open(ctx context.Context, connection *grpc.ClientConn, method string) grpc.ClientStream {
	// The server decides what each method really streams.
	stream, err := connection.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/kurun.test.Kinds/"+method)
	check(err)
	return stream
}
