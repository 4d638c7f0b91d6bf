import { useSession } from './hooks/use-session.ts'
import { useTheme } from './hooks/use-theme.ts'
import { SearchPage } from './pages/search.tsx'
import { Header, ThemeButton } from './parts/header.tsx'
import { SignIn } from './parts/sign-in.tsx'

export function App() {
  const { theme, cycle } = useTheme()
  const { state, enter, leave, ended } = useSession()
  if (state.phase === 'checking') return <div className="page" aria-busy="true" />
  if (state.phase === 'out') return <SignIn state={state} enter={enter} />
  return (
    <div className="page">
      <Header sites={[]} session={state.session} onSignOut={() => void leave()} onHelp={() => undefined}>
        <ThemeButton theme={theme} onCycle={cycle} />
      </Header>
      <SearchPage session={state.session} onSessionEnded={ended} />
    </div>
  )
}
