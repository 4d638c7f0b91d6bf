import { Message } from '../parts/message.tsx'

export function BoardsPage() {
  return (
    <main>
      <Message title="Boards">
        <p>Not here yet.</p>
      </Message>
    </main>
  )
}
